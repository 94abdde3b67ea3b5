/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the settings of a server by name from the dict that run_server() passes. The table in
 * pystuck/_server_options.py has checked the values and has filled in the defaults, so this file
 * has no defaults.
 *
 * Errors are sticky. After the first one the Python exception stays set, and later reads return 0
 * or NULL, so that callers check only ps_settings_dict_end().
 */
#ifndef PS_SETTINGS_DICT_H
#define PS_SETTINGS_DICT_H

#include "ext.h"

struct ps_settings_dict {
    PyObject *dict;  /* borrowed */
    PyObject *kept;  /* a list: the objects that returned pointers point into */
    Py_ssize_t read; /* settings read so far */
};

/* Begins to read dict, which must outlive o. Returns 0, or -1 with an exception. */
int ps_settings_dict_begin(struct ps_settings_dict *o, PyObject *dict);

/* Checks that every setting of the dict was read: returns 0, or -1 with the exception of the first
 * failed read, or with TypeError for settings that no reader knows. */
int ps_settings_dict_end(struct ps_settings_dict *o);

/* Frees what ps_settings_dict_begin() made. The strings that the functions below have returned
 * become invalid. */
void ps_settings_dict_free(struct ps_settings_dict *o);

/* Returns a setting, borrowed from the dict. */
PyObject *ps_setting(struct ps_settings_dict *o, const char *name);

/* Returns a setting, borrowed from the dict; NULL, without an exception, for None. */
PyObject *ps_setting_or_null(struct ps_settings_dict *o, const char *name);

/* Returns a tuple, borrowed from the dict; NULL, without an exception, for None. */
PyObject *ps_setting_tuple(struct ps_settings_dict *o, const char *name);

/* Returns an int. Sets OverflowError if the int is below least or above most. */
long long ps_setting_int(struct ps_settings_dict *o, const char *name, long long least,
                         long long most);

bool ps_setting_bool(struct ps_settings_dict *o, const char *name);

/* Returns a setting in seconds as milliseconds, at least 1. Returns `never` for None. */
int ps_setting_ms(struct ps_settings_dict *o, const char *name, int never);

/* ps_setting_text returns a str as UTF-8, ps_setting_path a path in the encoding of file names.
 * Both return NULL for None. Valid until ps_settings_dict_free(). */
const char *ps_setting_text(struct ps_settings_dict *o, const char *name);
const char *ps_setting_path(struct ps_settings_dict *o, const char *name);

/* Returns the texts of a tuple of str, ended by NULL; NULL for None. The caller frees the array
 * with PyMem_Free(); the texts are valid until ps_settings_dict_free(). */
const char **ps_setting_texts(struct ps_settings_dict *o, const char *name);

#endif
