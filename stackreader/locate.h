/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds the Pythons in a process: for each its _PyRuntime, its version and its offsets.
 *
 * A Python is an executable or a library that exports _PyRuntime. The symbols are read from the
 * memory of the process, as the dynamic linker reads them. So it does not matter which path the
 * file has, whether the file was deleted or replaced, or whether it can be opened.
 */
#ifndef STACKREADER_LOCATE_H
#define STACKREADER_LOCATE_H

#include "mappings.h"
#include "memory.h"
#include "offsets.h"

enum python_state {
    PYTHON_READABLE,      /* its stacks can be read */
    PYTHON_NOT_RUNNING,   /* it has no interpreter: it has not begun, or has ended */
    PYTHON_OTHER_VERSION, /* its version is not supported */
    PYTHON_FREE_THREADED,
    PYTHON_CONTRADICTS, /* its memory does not have the form of this version */
    PYTHON_PYPY,
    PYTHON_32_BIT
};

/* A Python in a process. */
struct located {
    enum python_state state;
    const struct mapping *file; /* the first mapping of its executable or library */
    uint64_t runtime;           /* the address of _PyRuntime */
    uint32_t version;           /* as in PY_VERSION_HEX; 0: not known */
    struct offsets offsets;     /* set only if the Python is readable */
};

/* The files of a process, for Pythons that do not export _PyRuntime. */
struct locate_files {
    /* Returns the contents of the file of a mapping, and sets *size to their size in bytes. Returns
     * NULL if the file cannot be opened. */
    const void *(*open)(const struct locate_files *files, const struct mapping *m, size_t *size);
    void (*close)(const struct locate_files *files, const void *data, size_t size);
    const void *source; /* data for these functions */
};

#define LOCATE_MAX 8

/* Finds up to `room` Pythons of a process, and writes them to `out`. The readable ones come first.
 * files: NULL if no file can be opened. Returns the number of Pythons that were found. */
size_t locate_pythons(const struct memory *memory, const struct mappings *mappings,
                      const struct locate_files *files, struct located *out, size_t room);

#define LOCATE_TEXT_SIZE 256

/* Writes the version, such as "3.11.7" or "3.16.0a2"; "" if it is not known. */
void locate_version(const struct located *python, char *out, size_t size);

/* Writes why the stacks of this Python cannot be read, as the end of a sentence that begins with
 * the process: "runs Python 3.16.0a2, which pystuck cannot read: pystuck knows 3.9 to 3.15".
 * python: NULL if the process has no Python. */
void locate_explain(const struct located *python, char *out, size_t size);

#endif
