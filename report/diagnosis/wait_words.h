/* SPDX-License-Identifier: BSD-3-Clause
 *
 * wait_words: sentences about what a thread, greenlet or task waits for: "waits for Lock dst.lock,
 * held by transfer-0 since bank.py:7".
 *
 * The words depend on the certainty of the fact that a thread holds an object. Known: "held by".
 * Seen: "apparently held by", because the thread may have released the object in the meantime. A
 * guess: "perhaps held by". If several threads may hold the object: "perhaps held by one of ...".
 * If the holder is not known: "holder not known".
 */
#ifndef REPORT_DIAGNOSIS_WAIT_WORDS_H
#define REPORT_DIAGNOSIS_WAIT_WORDS_H

#include "buffer.h"
#include "diagnosis/wait_graph.h"

/* Appends what a node waits for, and which threads hold it. The node must have a wait. is_certain:
 * true if other facts have confirmed the hold, so that the words do not say "apparently". */
void wait_words_put(struct buffer *out, const struct wait_graph *g, size_t node, bool is_certain);

/* Appends only what a node waits for: "waits for Lock dst.lock". */
void wait_words_put_target(struct buffer *out, const struct wait_graph *g, size_t node);

/* Like wait_words_put_target, but with "it" in place of the object: "waits for it", "waits for room
 * in it". If the waiting code calls the object by another name than the object's own `words`, also
 * appends this name, which wait_words_of() returns: "waits for it (dst.lock)". The node must wait
 * for an object.
 */
void wait_words_put_purpose(struct buffer *out, const struct wait_graph *g, size_t node);

/* Appends which threads hold an object: "held by transfer-0 since bank.py:7", "free now", "holder
 * not known". Appends nothing for an object that no thread holds, such as an Event. is_certain: as
 * in wait_words_put. */
void wait_words_put_holders(struct buffer *out, const struct wait_graph *g, size_t object,
                            bool is_certain);

/* Returns the words for what a node waits for: the words in the wait, or else those in the object,
 * or else those in the source line that waits. The node must have a wait. */
struct report_text wait_words_of(const struct wait_graph *g, size_t node);

/* Appends the type and the words of an object: "Lock dst.lock"; without words "a Lock". */
void wait_words_put_object(struct buffer *out, const struct report_object *object);

/* Returns the node on which `node` depends. If `node` waits for a thread, task or process, returns
 * the thread, task or process. If `node` waits for an object, returns the object's only holder,
 * even if it is a guess that this holder has the object. In all other cases, returns NO_NODE: for
 * example, if no holder of the object is known, or if the object has several holders. */
size_t wait_words_holder(const struct wait_graph *g, size_t node);

/* Appends who holds an object whose holder has ended or is in the parent process: "held by
 * Thread-3, which has ended", "apparently inherited by fork from thread 4711 of the parent
 * process". */
void wait_words_put_lost(struct buffer *out, const struct wait_graph *g, size_t object);

#endif
