/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The frames of one thread, in a process that goes on running meanwhile.
 */
#ifndef STACKREADER_FRAMES_H
#define STACKREADER_FRAMES_H

#include "python_process.h"

struct raw_frame {
    uint64_t address;
    uint64_t code;     /* a code object */
    uint64_t previous; /* the caller's frame, or 0 */
    uint64_t at;       /* the instruction, as this version has it: see struct offsets */
    int owner;         /* enum frame_owner */
};

/* What a frame belongs to, from 3.11 on. From 3.12 on SHIM and above are entries of C code, with no
 * Python code. */
enum frame_owner { OWNER_THREAD, OWNER_GENERATOR, OWNER_OBJECT, OWNER_SHIM };

/* EXACT: the frames are those of one moment. MOVING: the thread ran while they were read; they may
 * never have been on one stack. UNREADABLE: there are none. */
enum frames_state { FRAMES_EXACT, FRAMES_MOVING, FRAMES_UNREADABLE };

struct raw_stack {
    struct raw_frame *frames; /* the innermost first */
    size_t count, room;
    enum frames_state state;
    bool cut; /* there are more frames than room; the innermost ones are here */

    unsigned char *chunk; /* for a copy of the thread's data stack */
    size_t chunk_room;
};

/* Reads the frames of a thread into stack, whose frames, room, chunk and chunk_room the caller
 * sets.
 *
 * thread: the address of its PyThreadState. native_id: the kernel's number of the thread, or 0: its
 * CPU time is not asked for. Reads at most FRAMES_TRIES times while the thread is running. */
void frames_read(const struct python *py, uint64_t thread, pid_t native_id,
                 struct raw_stack *stack);

#define FRAMES_TRIES 50

/* True if Python's own functions show a frame: it is not an entry of C code, and its code has begun
 * to run. first_traceable: see struct offsets. */
bool frame_is_shown(const struct python *py, const struct raw_frame *f, int first_traceable);

/* The address of a frame's instruction, in bytes from the first one of its code. */
int64_t frame_address(const struct python *py, const struct raw_frame *f);

#endif
