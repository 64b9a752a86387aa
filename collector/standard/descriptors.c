/*
 * The fields that count (google/protobuf/descriptor.proto):
 *
 *     FileDescriptorSet     1 file
 *     FileDescriptorProto   1 name, 2 package, 4 message_type, 5 enum_type, 6 service
 *     DescriptorProto       1 name, 3 nested_type, 4 enum_type
 *     EnumDescriptorProto   1 name
 *     ServiceDescriptorProto 1 name, 2 method (1 name)
 */
#include "descriptors.h"

#include <stdio.h>
#include <string.h>

#include "attributes.h"
#include "varint.h"

enum { SYMBOL_BYTES = 512, WIRE_VARINT = 0, WIRE_BYTES = 2 };

struct bytes {
    const uint8_t *at, *end;
};

struct field {
    uint64_t number;
    struct bytes value; /* of WIRE_BYTES */
};

/* 1 and the next field, 0 at the end. */
static int next_field(struct bytes *message, struct field *ret)
{
    uint64_t key = 0, size = 0;
    if (message->at == message->end)
        return 0;
    message->at = varint_read(message->at, message->end, &key);
    ASSERT(message->at != NULL);
    message->at = varint_read(message->at, message->end, &size);
    ASSERT(message->at != NULL);
    *ret = (struct field){.number = key >> 3};
    if ((key & 7) == WIRE_VARINT)
        return 1;
    ASSERT((key & 7) == WIRE_BYTES && size <= (size_t)(message->end - message->at));
    ret->value = (struct bytes){message->at, message->at + size};
    message->at += size;
    return 1;
}

/* The value of the first field of the number; empty when there is none. */
static struct bytes first(struct bytes message, uint64_t number)
{
    struct field field;
    while (next_field(&message, &field)) {
        if (field.number == number)
            return field.value;
    }
    return (struct bytes){0};
}

/* "prefix.name" */
static void qualify(const char *prefix, struct bytes named, char ret[SYMBOL_BYTES])
{
    struct bytes name = first(named, 1);
    (void)snprintf(ret, SYMBOL_BYTES, "%s%s%.*s", prefix, prefix[0] != '\0' ? "." : "",
                   (int)(name.end - name.at), (const char *)name.at);
}

static void package_of(struct bytes file, char ret[SYMBOL_BYTES])
{
    struct bytes package = first(file, 2);
    (void)snprintf(ret, SYMBOL_BYTES, "%.*s", (int)(package.end - package.at),
                   (const char *)package.at);
}

/* What has a name, and which of its fields have names in turn. */
struct kind {
    struct {
        uint64_t field; /* 0 ends the list */
        const struct kind *kind;
    } parts[4];
};

static const struct kind enum_kind = {0}, method_kind = {0};
static const struct kind service_kind = {{{2, &method_kind}}};
static const struct kind message_kind = {{{3, &message_kind}, {4, &enum_kind}}};
static const struct kind file_kind = {{{4, &message_kind}, {5, &enum_kind}, {6, &service_kind}}};

static int defines(struct bytes thing, const struct kind *kind, const char *prefix,
                   const char *symbol);

/* 1 if a part of the thing, whose whole name is `prefix`, is the symbol. */
static int has_part(struct bytes thing, const struct kind *kind, const char *prefix,
                    const char *symbol)
{
    struct field field;
    while (next_field(&thing, &field)) {
        for (size_t i = 0; kind->parts[i].field != 0; i++) {
            if (field.number == kind->parts[i].field &&
                defines(field.value, kind->parts[i].kind, prefix, symbol))
                return 1;
        }
    }
    return 0;
}

/* 1 if the thing or something in it is the symbol. */
static int defines(struct bytes thing, const struct kind *kind, const char *prefix,
                   const char *symbol)
{
    char name[SYMBOL_BYTES];
    qualify(prefix, thing, name);
    size_t size = strlen(name);
    if (strncmp(symbol, name, size) != 0)
        return 0;
    return symbol[size] == '\0' || (symbol[size] == '.' && has_part(thing, kind, name, symbol));
}

static int file_defines(struct bytes file, const char *symbol)
{
    char package[SYMBOL_BYTES];
    package_of(file, package);
    return has_part(file, &file_kind, package, symbol);
}

static int has_name(struct bytes file, const char *name)
{
    struct bytes own = first(file, 1);
    size_t size = (size_t)(own.end - own.at);
    return strlen(name) == size && memcmp(own.at, name, size) == 0;
}

static int find(const struct descriptors *set, int (*is_meant)(struct bytes file, const char *text),
                const char *text, struct descriptor_file *ret)
{
    struct bytes files = {set->data, set->data + set->size};
    struct field field;
    while (next_field(&files, &field)) {
        if (!is_meant(field.value, text))
            continue;
        *ret = (struct descriptor_file){field.value.at, (size_t)(field.value.end - field.value.at)};
        return 1;
    }
    return 0;
}

int descriptors_find_file(const struct descriptors *set, const char *name,
                          struct descriptor_file *ret)
{
    return find(set, has_name, name, ret);
}

int descriptors_find_symbol(const struct descriptors *set, const char *symbol,
                            struct descriptor_file *ret)
{
    return find(set, file_defines, symbol, ret);
}

void descriptors_each_service(const struct descriptors *set,
                              void (*fn)(void *arg, const char *name), void *arg)
{
    struct bytes files = {set->data, set->data + set->size};
    struct field file, field;
    while (next_field(&files, &file)) {
        char package[SYMBOL_BYTES], name[SYMBOL_BYTES];
        package_of(file.value, package);
        struct bytes parts = file.value;
        while (next_field(&parts, &field)) {
            if (field.number != 6)
                continue;
            qualify(package, field.value, name);
            fn(arg, name);
        }
    }
}
