-- What tells fragmentation from a native leak: four numbers more at the end of a snapshot's process
-- numbers. Rows of before stay as they are.
COMMENT ON COLUMN heapfleet.snap_delta.process IS
    'Fourteen numbers as LEB128 varints: objects and bytes of all types together; resident private '
    'anonymous bytes (0: unknown), swapped bytes, the container''s usage and limit (0: none), private '
    'anonymous bytes that are not Python objects; CPU milliseconds since the start; share of the '
    'heap that was read in 1/10000; snapshots that the agent dropped before this one; bytes in pools '
    'of CPython''s allocator, those of them that hold nothing, bytes in free blocks of malloc; '
    'proportional set size (0: unknown). Rows of before schema 12 have the first ten.';
COMMENT ON COLUMN heapfleet.heap_chunk.process IS
    'The numbers of snap_delta.process, and how many types there were, two and two packed; chunks of '
    'before schema 12 have ten of them. Format 1: the sequences, too. collector/store/chunk_codec.h of '
    'the Heapfleet sources.';
