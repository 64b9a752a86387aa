/*
 * Questions to a google.protobuf.FileDescriptorSet: which file, which services, which symbols.
 * Pure; the bytes are our own (made by protoc), so that a wrong one is a bug.
 */
#ifndef COLLECTOR_STANDARD_DESCRIPTORS_H
#define COLLECTOR_STANDARD_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

struct descriptors {
    const uint8_t *data;
    size_t size;
};

struct descriptor_file {
    const uint8_t *data; /* a FileDescriptorProto, in the set */
    size_t size;
};

/* 1 if there is a file of this name ("heapfleet/v1/ingest.proto"). */
int descriptors_find_file(const struct descriptors *set, const char *name,
                          struct descriptor_file *ret);

/* 1 if a file defines the symbol: a service, a method, a message or an enum, with its package. */
int descriptors_find_symbol(const struct descriptors *set, const char *symbol,
                            struct descriptor_file *ret);

/* fn(arg, name) for each service, "heapfleet.v1.Ingest"; the name is gone afterwards. */
void descriptors_each_service(const struct descriptors *set,
                              void (*fn)(void *arg, const char *name), void *arg);

#endif
