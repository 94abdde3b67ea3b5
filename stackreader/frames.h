/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the frames of one thread in a process that may be running.
 */
#ifndef STACKREADER_FRAMES_H
#define STACKREADER_FRAMES_H

#include "python_process.h"

struct raw_frame {
    uint64_t address;
    uint64_t code;     /* the address of its code object */
    uint64_t previous; /* the address of the caller's frame, or 0 */
    uint64_t at; /* the current instruction, in a unit that depends on the version: see `at` in
                  * struct offsets */
    int owner;   /* enum frame_owner */

    /* For use by the caller of frames_read. */
    struct code *read; /* the code object, or NULL */
    int64_t line;
    int64_t index;
};

/* Where the memory of a frame is, from 3.11 on: on the data stack of a thread, in a generator, or
 * in a frame object. From 3.12 on, OWNER_SHIM and higher values mark the places where C code has
 * called the interpreter; such a frame has no Python code. */
enum frame_owner { OWNER_THREAD, OWNER_GENERATOR, OWNER_OBJECT, OWNER_SHIM };

/* EXACT: all frames were on the stack at the same moment. MOVING: the thread ran during the
 * reading, so the frames may never have been on one stack. UNREADABLE: no frame could be read. */
enum frames_state { FRAMES_EXACT, FRAMES_MOVING, FRAMES_UNREADABLE };

struct raw_stack {
    struct raw_frame *frames; /* the innermost frame first */
    size_t count, room;
    enum frames_state state;
    bool cut; /* the stack has more than `room` frames; only the innermost ones were read */

    int64_t activity; /* the thread's activity (see memory.h) before the frames were read; -1: not
                       * known */
    uint64_t current; /* the address of the pointer to the innermost frame */

    unsigned char *chunk; /* memory for a copy of the newest chunk of the thread's data stack */
    size_t chunk_room;
};

/* Reads the frames of a thread once. Sets the members `count`, `state`, `activity`, `current` and
 * `cut` of *stack. The caller must have set two arrays and their sizes: `frames` and `room` (in
 * frames), `chunk` and `chunk_room` (in bytes). Makes the memory forget what was read, so what is
 * read next is not older than the frames.
 *
 * thread: the address of its PyThreadState. native_id: the kernel's id of the thread, which is used
 * to find out whether the thread runs; 0: unknown. If the state is FRAMES_MOVING, another call may
 * succeed; call frames_wait before that call. */
void frames_read(const struct python *py, uint64_t thread, pid_t native_id,
                 struct raw_stack *stack);

/* Like frames_read, for a thread that is assumed not to have run since its activity was `activity`.
 * The caller must have made the memory forget what was read before that moment. What was read since
 * then is kept. FRAMES_EXACT is true only if frames_have_not_run returns true afterwards. */
void frames_read_since(const struct python *py, uint64_t thread, int64_t activity,
                       struct raw_stack *stack);

/* Waits for a random time of some microseconds, so that readings are not synchronous with a loop of
 * the thread. */
void frames_wait(void);

/* True if it is known that the thread has not run since frames_read began to read its frames, or
 * since it had the activity that was given to frames_read_since. */
bool frames_have_not_run(const struct python *py, pid_t native_id, const struct raw_stack *stack);

/* True if the thread has not run since frames_read, or has the same frames again. */
bool frames_are_same(const struct python *py, pid_t native_id, const struct raw_stack *stack);

/* True if the frame marks a place where C code has called the interpreter. Such a frame has no
 * Python code. */
bool frame_is_shim(const struct python *py, const struct raw_frame *f);

/* True if Python's own functions (such as traceback.print_stack) show the frame. They show neither
 * entries from C code nor frames whose code has not begun to run. first_traceable: see struct
 * offsets. */
bool frame_is_shown(const struct python *py, const struct raw_frame *f, int first_traceable);

/* Fills *f with the frame at this address. Does not find the caller of the frame: sets f->previous
 * to 0. Returns false if the frame cannot be read, or has no code. */
bool frame_read_one(const struct python *py, uint64_t address, struct raw_frame *f);

/* Fills *f with the frame of the generator at this address. Does not find the caller of the frame:
 * sets f->previous to 0. Returns false if the generator has ended or cannot be read. */
bool frame_of_generator(const struct python *py, uint64_t generator, struct raw_frame *f);

/* Returns the offset of the frame's current instruction in bytes, counted from the first
 * instruction of its code. */
int64_t frame_address(const struct python *py, const struct raw_frame *f);

#endif
