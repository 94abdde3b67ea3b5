# The debuggee's side: the package pystuck and the extension module _pystuck, both in Python's site
# directory. To use them where they were built:
#     PYTHONPATH=$(top_srcdir)/pystuck_ext:$(top_builddir)/pystuck_ext/.libs

python_LTLIBRARIES = pystuck_ext/_pystuck.la
pystuck_ext__pystuck_la_SOURCES = \
	pystuck_ext/admission.c pystuck_ext/admission.h \
	pystuck_ext/aside.c pystuck_ext/aside.h \
	pystuck_ext/box.c pystuck_ext/box.h \
	pystuck_ext/call.c pystuck_ext/call.h \
	pystuck_ext/class_lookup.c pystuck_ext/class_lookup.h \
	pystuck_ext/classic_service.c pystuck_ext/classic_service.h \
	pystuck_ext/collect.c pystuck_ext/collect.h \
	pystuck_ext/connection_object.c pystuck_ext/connection_object.h \
	pystuck_ext/credentials.c pystuck_ext/credentials.h \
	pystuck_ext/ctxexit.c pystuck_ext/ctxexit.h \
	pystuck_ext/dispatch.c pystuck_ext/dispatch.h \
	pystuck_ext/docstring.c pystuck_ext/docstring.h \
	pystuck_ext/ext.h \
	pystuck_ext/gil.c pystuck_ext/gil.h \
	pystuck_ext/current_frames.c pystuck_ext/current_frames.h \
	pystuck_ext/fork_call.c pystuck_ext/fork_call.h \
	pystuck_ext/frame_objects.c pystuck_ext/frame_objects.h \
	pystuck_ext/facts.c pystuck_ext/facts.h \
	pystuck_ext/facts_add.c \
	pystuck_ext/gil_held.c pystuck_ext/gil_held.h \
	pystuck_ext/gil_helper.c pystuck_ext/gil_helper.h \
	pystuck_ext/inspect.c pystuck_ext/inspect.h \
	pystuck_ext/lock_offsets_check.c pystuck_ext/lock_offsets_check.h \
	pystuck_ext/log.c pystuck_ext/log.h \
	pystuck_ext/log_limit.c pystuck_ext/log_limit.h \
	pystuck_ext/module.c \
	pystuck_ext/native_thread.c pystuck_ext/native_thread.h \
	pystuck_ext/netclass.c pystuck_ext/netclass.h \
	pystuck_ext/netref.c pystuck_ext/netref.h \
	pystuck_ext/netref_type.c pystuck_ext/netref_type.h \
	pystuck_ext/objects.c pystuck_ext/objects.h \
	pystuck_ext/offsets_check.c pystuck_ext/offsets_check.h \
	pystuck_ext/own_offsets.c pystuck_ext/own_offsets.h \
	pystuck_ext/settings_dict.c pystuck_ext/settings_dict.h \
	pystuck_ext/connection_config.c pystuck_ext/connection_config.h \
	pystuck_ext/pybrine.c pystuck_ext/pybrine.h \
	pystuck_ext/pyframe.c pystuck_ext/pyframe.h \
	pystuck_ext/reference.h \
	pystuck_ext/report_object.c pystuck_ext/report_object.h \
	pystuck_ext/reserve.c pystuck_ext/reserve.h \
	pystuck_ext/run_request.c pystuck_ext/run_request.h \
	pystuck_ext/run_server.c pystuck_ext/run_server.h \
	pystuck_ext/self_reader.c pystuck_ext/self_reader.h \
	pystuck_ext/server.c pystuck_ext/server.h \
	pystuck_ext/server_object.c pystuck_ext/server_object.h \
	pystuck_ext/service.c pystuck_ext/service.h \
	pystuck_ext/session.c pystuck_ext/session.h \
	pystuck_ext/session_object.c pystuck_ext/session_object.h \
	pystuck_ext/session_threads.c pystuck_ext/session_threads.h \
	pystuck_ext/native_settings.c pystuck_ext/native_settings.h \
	pystuck_ext/shortage.c pystuck_ext/shortage.h \
	pystuck_ext/thread.c pystuck_ext/thread.h \
	pystuck_ext/vinegar.c pystuck_ext/vinegar.h \
	pystuck_ext/why.c pystuck_ext/why.h \
	pystuck_ext/without_gil.c pystuck_ext/without_gil.h
pystuck_ext__pystuck_la_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_CPPFLAGS) $(QUEUE_CFLAGS) -I$(srcdir)/stackreader
# Python may end a thread in the middle of our functions: see reference.h.
pystuck_ext__pystuck_la_CFLAGS = $(AM_CFLAGS) $(PYSTUCK_TLS_CFLAGS) -fno-exceptions
pystuck_ext__pystuck_la_LIBADD = stackreader/libstackreader.la procfs/libprocfs.la \
	report/libdiagnosis.la librpyc/librpyc-internal.la
# The suffix names the Python that it was built for, so that no other one loads it. libpython is not
# linked: the interpreter that loads the module brings its own. The symbols of librpyc that it
# contains are hidden from a librpyc.so in the same process.
pystuck_ext__pystuck_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-shrext $(PYTHON_EXT_SUFFIX) -export-symbols-regex '^PyInit__pystuck$$'

if SANITIZED
pystuck_ext__pystuck_la_SOURCES += pystuck_ext/lock_check.c
pystuck_ext__pystuck_la_LDFLAGS += -Wl,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_trylock \
	-Wl,--wrap=pthread_mutex_unlock,--wrap=pthread_cond_wait,--wrap=pthread_cond_timedwait \
	-Wl,--wrap=poll,--wrap=PyEval_RestoreThread
endif

# Makes the tables of offsets of other versions of CPython, by hand.
EXTRA_DIST += pystuck_ext/make-offset-tables pystuck_ext/print_offsets.c

# The parts of the collector; each uses only those above it. The client sends them, too.
collector_parts = \
	pystuck_ext/pystuck/_without_code.py \
	pystuck_ext/pystuck/_blocking_calls.py \
	pystuck_ext/pystuck/_threads.py \
	pystuck_ext/pystuck/_source_lines.py \
	pystuck_ext/pystuck/_asyncio_fields.py \
	pystuck_ext/pystuck/_asyncio_tasks.py \
	pystuck_ext/pystuck/_trio_tasks.py \
	pystuck_ext/pystuck/_gevent_objects.py \
	pystuck_ext/pystuck/_greenlets.py \
	pystuck_ext/pystuck/_stacks.py

pystuckpkgdir = $(pythondir)/pystuck
dist_pystuckpkg_DATA = \
	$(collector_parts) \
	pystuck_ext/pystuck/__init__.py \
	pystuck_ext/pystuck/__main__.py \
	pystuck_ext/pystuck/_admission.py \
	pystuck_ext/pystuck/_authenticators.py \
	pystuck_ext/pystuck/_client.py \
	pystuck_ext/pystuck/_environment.py \
	pystuck_ext/pystuck/_follow_fork.py \
	pystuck_ext/pystuck/_server_options.py \
	pystuck_ext/pystuck/_attribute_policy.py \
	pystuck_ext/pystuck/_preload.py \
	pystuck_ext/pystuck/_rpyc_compat.py \
	pystuck_ext/pystuck/_run.py \
	pystuck_ext/pystuck/_socket_directory.py \
	pystuck_ext/pystuck/_stale_sockets.py \
	pystuck_ext/pystuck/_values.py \
	pystuck_ext/pystuck/connection.py \
	pystuck_ext/pystuck/greenlets.py \
	pystuck_ext/pystuck/py.typed \
	pystuck_ext/pystuck/thread_probe.py

# Starts a server when Python starts, if PYSTUCK is set: Python reads one of the two files. The second
# names a function of a module.
dist_python_DATA = pystuck_ext/_pystuck.pyi
python_DATA = pystuck_ext/pystuck-startup$(PYTHON_STARTUP)
if STARTUP_MODULE
python_DATA += pystuck_ext/_pystuck_startup.py
endif
EXTRA_DIST += pystuck_ext/pystuck-startup.pth pystuck_ext/pystuck-startup.start \
	pystuck_ext/_pystuck_startup.py

# What importlib.metadata and pip read. Without a list of files pip does not uninstall: make does.
distinfodir = $(pythondir)/pystuck-$(VERSION).dist-info
distinfo_DATA = packaging/METADATA packaging/INSTALLER
packaging/INSTALLER:
	$(AM_V_GEN)$(MKDIR_P) $(@D) && echo make >$@
CLEANFILES += packaging/INSTALLER

# Python does not use the .la file. The .pyc files are made here, with the names that they have once
# installed: the users who import the package may not be allowed to write there.
install-data-hook:
	rm -f '$(DESTDIR)$(pythondir)/_pystuck.la'
	cd '$(DESTDIR)$(pystuckpkgdir)' && \
		$(PYTHON) -m compileall -q -f -d '$(pystuckpkgdir)' .
	cd '$(DESTDIR)$(pythondir)' && { test ! -e _pystuck_startup.py || \
		$(PYTHON) -m compileall -q -f -d '$(pythondir)' _pystuck_startup.py; }

uninstall-hook:
	rm -f '$(DESTDIR)$(pythondir)/__pycache__/_pystuck_startup'.*.pyc
	-rmdir '$(DESTDIR)$(pythondir)/__pycache__' 2>/dev/null
	rm -f '$(DESTDIR)$(pythondir)/_pystuck$(PYTHON_EXT_SUFFIX)'
	rm -rf '$(DESTDIR)$(pystuckpkgdir)/__pycache__'
	-rmdir '$(DESTDIR)$(pystuckpkgdir)' '$(DESTDIR)$(distinfodir)'
	-test ! -d '$(DESTDIR)$(docdir)/licenses' || rmdir '$(DESTDIR)$(docdir)/licenses'
	-rmdir '$(DESTDIR)$(docdir)'

# Another PYTHON= in the same build directory has other headers.
$(pystuck_ext__pystuck_la_OBJECTS): config.status
