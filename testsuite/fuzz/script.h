/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a client says, as input of a fuzz target: read into trees, which can be changed and written
 * again. One byte for the target, then steps, each like a frame:
 *
 *     u32 length | u8 how | payload | u8 end
 *
 * In a payload ("@", n, 0) stands for the id pack of an object that the other side has sent: the
 * n-th, or with a negative n the n-th from the last. An answer's seq of -1 is that of the request
 * that it answers, and a bind-threads recipient of all ones the thread that has sent that.
 */
#ifndef FUZZ_SCRIPT_H
#define FUZZ_SCRIPT_H

#include "message.h"

/* How a step is sent. */
#define STEP_COMPRESS   0x01
#define STEP_CONNECTION 0x06 /* ... on which of the connections */
#define STEP_NESTED     0x08 /* a request within one of the other side's, which is answered later */
#define STEP_NO_WAIT    0x10 /* its answer is not waited for */
#define STEP_RAW        0x80 /* with this very byte, and the payload as it is */
#define CONNECTIONS     4

#define STEPS_MAX 128

struct node {
    enum brine_type type;
    union {
        bool boolean;
        int64_t integer;
        struct {
            double real, imag;
        };
        struct {
            const uint8_t *data; /* BYTES, STR, BIGINT */
            size_t len;
        };
        struct {
            struct node **items; /* TUPLE, FROZENSET, SLICE */
            size_t count;
        };
    };
};

struct step {
    uint8_t how, end;
    enum rpyc_generation generation; /* AUTO: raw is the payload */
    bool bound;
    struct thread_pair threads;
    struct node *tree; /* (kind, seq, args), whichever the generation */
    const uint8_t *raw;
    size_t raw_len;
};

struct script {
    uint8_t head;
    size_t count;
    struct step steps[STEPS_MAX];
    const uint8_t *tail; /* what is no step any more */
    size_t tail_len;
    void *memory; /* of the trees */
};

/* Reads an input, which has to stay. False where it is empty. To be freed in any case. */
bool script_read(struct script *s, const uint8_t *data, size_t size);
void script_free(struct script *s);

/* Writes it as it was read. */
void script_write(const struct script *s, struct buffer *out);

/* Changes something. */
void script_mutate(struct script *s, unsigned seed);

/* Takes over some steps of another one, which has to stay. */
void script_cross(struct script *s, const struct script *other, unsigned seed);

/* Writes the payload of a step. `special` is asked for each node first, and returns true where it
 * has written something in its place; NULL: none. */
typedef bool (*put_special)(void *arg, const struct step *step, const struct node *node,
                            struct buffer *out);
void step_put(const struct step *step, struct buffer *out, put_special special, void *arg);

/* The kind of message, or 0 if it is none. */
int step_kind(const struct step *step);

/* The parts of a message; NULL where it is none. */
const struct node *step_seq(const struct step *step);
const struct node *step_args(const struct step *step);

#endif
