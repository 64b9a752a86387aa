/*
 * Protobuf messages from and to bytes. What comes from outside is unpacked into an arena with a
 * cap, because a few megabytes of empty submessages become hundreds in memory; protobuf-c then
 * gives up cleanly. Nothing that was unpacked is freed by itself: reset the arena.
 */
#ifndef COMMON_WIRE_WIRE_H
#define COMMON_WIRE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "arena.h"
#include "buf.h"
#include "status.h"
#include "why.h"

/*
 * The message in `bytes`, in the arena: cast `*ret` to the type of the descriptor. Every `string`
 * in it, in submessages too, is valid UTF-8 and not NULL; one that holds a zero byte ends there.
 * STATUS_INVALID: it is no such message, or a string is not UTF-8. STATUS_LIMIT: it does not fit
 * into the arena. The bytes may be dropped afterwards.
 */
enum status wire_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                        size_t size, struct arena *arena, ProtobufCMessage **ret,
                        struct why *why) MUST_CHECK;

/* Append the packed message to `ret`. Strings in it must be UTF-8 (the peer may refuse others). */
void wire_pack(const ProtobufCMessage *message, struct buf *ret);

#endif
