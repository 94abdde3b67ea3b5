/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Scripts: what a client sends, as the input of a fuzz target. A script is read into trees, which
 * can be changed and written again. It has one byte for the target, then steps like frames:
 *
 *     u32 length | u8 how | payload | u8 end
 *
 * In a payload, ("@", n, 0) stands for the id pack of an object that the other side has sent:
 * number n, or the n-th from the last if n is negative. A seq of -1 in an answer stands for the seq
 * of its request; a bind-threads recipient of all ones stands for the thread that sent that
 * request.
 */
#ifndef FUZZ_SCRIPT_H
#define FUZZ_SCRIPT_H

#include "message.h"

/* How a step is sent. */
#define STEP_COMPRESS   0x01
#define STEP_CONNECTION 0x06 /* the bits with the number of the connection */
#define STEP_NESTED                                                                                \
    0x08                  /* a request inside a request of the other side, which is answered later \
                           */
#define STEP_NO_WAIT 0x10 /* do not wait for its answer */
#define STEP_RAW     0x80 /* send this byte and the payload unchanged */
#define CONNECTIONS  4

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
    struct node *tree; /* (kind, seq, args), for either generation */
    const uint8_t *raw;
    size_t raw_len;
};

struct script {
    uint8_t head;
    size_t count;
    struct step steps[STEPS_MAX];
    const uint8_t *tail; /* the bytes after the last step */
    size_t tail_len;
    void *memory; /* for the trees */
};

/* Reads an input, which must stay valid. False: it is empty. Free the script in either case. */
bool script_read(struct script *s, const uint8_t *data, size_t size);
void script_free(struct script *s);

/* Writes the script in the form in which it was read. */
void script_write(const struct script *s, struct buffer *out);

/* Makes a random change. */
void script_mutate(struct script *s, unsigned seed);

/* Copies some steps of another script, which must stay valid. */
void script_cross(struct script *s, const struct script *other, unsigned seed);

/* Writes the payload of a step. `special` is called for each node first; it returns true if it
 * wrote something in place of the node. NULL: none. */
typedef bool (*put_special)(void *arg, const struct step *step, const struct node *node,
                            struct buffer *out);
void step_put(const struct step *step, struct buffer *out, put_special special, void *arg);

/* Returns the kind of the message; 0: it is not a message. */
int step_kind(const struct step *step);

/* Returns the parts of a message; NULL: it is not a message. */
const struct node *step_seq(const struct step *step);
const struct node *step_args(const struct step *step);

#endif
