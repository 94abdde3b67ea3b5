/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the settings of a server by name from the dict that run_server() passes. The table in
 * pystuck/_options.py has checked the values and has filled in the defaults: there are none here.
 *
 * Errors are sticky. After the first one the Python exception stays set, and later reads return 0
 * or NULL, so that callers check only ps_options_end().
 */
#ifndef PS_OPTIONS_H
#define PS_OPTIONS_H

#include "ext.h"

struct ps_options {
    PyObject *dict;  /* borrowed */
    PyObject *kept;  /* a list: the objects that returned pointers point into */
    Py_ssize_t read; /* settings read so far */
};

/* Begins to read dict, which must outlive o. -1 with an exception. */
int ps_options_begin(struct ps_options *o, PyObject *dict);

/* Checks that every setting of the dict was read: returns 0, or -1 with the exception of the first
 * failed read, or with TypeError for settings that no reader knows. */
int ps_options_end(struct ps_options *o);

/* Frees what ps_options_begin() made, and what the pointers below point into. */
void ps_options_free(struct ps_options *o);

/* Returns a setting, borrowed from the dict. */
PyObject *ps_option(struct ps_options *o, const char *name);

/* Returns a setting, borrowed from the dict; NULL, without an exception, for None. */
PyObject *ps_option_or_null(struct ps_options *o, const char *name);

/* Returns a tuple, borrowed from the dict; NULL, without an exception, for None. */
PyObject *ps_option_tuple(struct ps_options *o, const char *name);

/* Returns an int. Sets OverflowError outside of least to most. */
long long ps_option_int(struct ps_options *o, const char *name, long long least, long long most);

bool ps_option_bool(struct ps_options *o, const char *name);

/* Converts seconds to milliseconds, at least 1; None to `never`. */
int ps_option_ms(struct ps_options *o, const char *name, int never);

/* Returns a str as UTF-8, or a path in the encoding of file names; NULL for None. Valid until
 * ps_options_free(). */
const char *ps_option_text(struct ps_options *o, const char *name);
const char *ps_option_path(struct ps_options *o, const char *name);

/* Returns the texts of a tuple of str, ended by NULL; NULL for None. The caller frees the array
 * with PyMem_Free(); the texts are valid until ps_options_free(). */
const char **ps_option_texts(struct ps_options *o, const char *name);

#endif
