# Python stacks from raw memory: a convenience library.

noinst_LTLIBRARIES += stackreader/libstackreader.la
stackreader_libstackreader_la_SOURCES = \
	stackreader/bytecode.c stackreader/bytecode.h \
	stackreader/code.c stackreader/code.h \
	stackreader/core_arguments.c stackreader/core_arguments.h \
	stackreader/core_file.c stackreader/core_file.h \
	stackreader/core_images.c stackreader/core_images.h \
	stackreader/dynamic_symbols.c stackreader/dynamic_symbols.h \
	stackreader/dicts.c stackreader/dicts.h \
	stackreader/elf_image.c stackreader/elf_image.h \
	stackreader/frames.c stackreader/frames.h \
	stackreader/gil.c stackreader/gil.h \
	stackreader/known_offsets.c stackreader/known_offsets.h stackreader/offset_tables.inc \
	stackreader/stdlib_waits.c stackreader/stdlib_waits.h \
	stackreader/linetable.c stackreader/linetable.h \
	stackreader/locate.c stackreader/locate.h \
	stackreader/lock_report.c stackreader/lock_report.h \
	stackreader/lock_names.c stackreader/lock_names.h \
	stackreader/locals.c stackreader/locals.h \
	stackreader/locks.c stackreader/locks.h \
	stackreader/value_text.c stackreader/value_text.h \
	stackreader/mappings.c stackreader/mappings.h \
	stackreader/memory.h stackreader/memory_self.c \
	stackreader/memory_core.c stackreader/memory_core.h \
	stackreader/memory_limit.c stackreader/memory_limit.h \
	stackreader/memory_pages.c stackreader/memory_pages.h \
	stackreader/memory_pid.c stackreader/memory_pid.h \
	stackreader/thread_names.c stackreader/thread_names.h \
	stackreader/native_threads.c stackreader/native_threads.h \
	stackreader/objects.c stackreader/objects.h \
	stackreader/pools.c stackreader/pools.h \
	stackreader/opcode_tables.inc stackreader/opcodes.c stackreader/opcodes.h \
	stackreader/offsets.h stackreader/python_process.h \
	stackreader/lock_releases.c stackreader/lock_releases.h \
	stackreader/stack.c stackreader/stack.h \
	stackreader/stackreader.c stackreader/stackreader.h \
	stackreader/value_stack.c stackreader/value_stack.h \
	stackreader/waits.c stackreader/waits.h

EXTRA_DIST += stackreader/make_opcodes.py
