/* All that this program speaks, as a google.protobuf.FileDescriptorSet; made by the build. */
#ifndef PROTO_DESCRIPTOR_SET_H
#define PROTO_DESCRIPTOR_SET_H

#include <stddef.h>

extern const unsigned char descriptor_set[];
extern const size_t descriptor_set_size;

#endif
