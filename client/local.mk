# pystuck(1). Linked with the static librpyc: it starts faster, and what is in the build tree is the
# program itself and not libtool's wrapper.

bin_PROGRAMS += client/pystuck
client_pystuck_SOURCES = \
	client/clean.h \
	client/collector.c client/collector.h \
	client/color.c client/color.h \
	client/set_error.c client/set_error.h \
	client/interrupt.c client/interrupt.h \
	client/complain.c client/complain.h \
	client/main.c \
	client/show.c client/show.h \
	client/show_family.c client/show_family.h \
	client/show_outside.c client/show_outside.h \
	client/watch.c client/watch.h \
	client/options.c client/options.h \
	client/target.c client/target.h \
	client/text.c client/text.h \
	client/textfile.c client/textfile.h \
	client/process.c client/process.h \
	client/connect/address.c client/connect/address.h \
	client/connect/dial.c client/connect/dial.h \
	client/connect/namespaces.c client/connect/namespaces.h \
	client/connect/socket_list.c client/connect/socket_list.h \
	client/connect/connect.c client/connect/connect.h \
	client/connect/diag.c client/connect/diag.h \
	client/connect/explain.c client/connect/explain.h \
	client/connect/find.c client/connect/find.h \
	client/connect/listing.c client/connect/listing.h \
	client/connect/peer.c client/connect/peer.h \
	client/connect/probe.c client/connect/probe.h \
	client/connect/stale_sockets.c client/connect/stale_sockets.h \
	client/connect/state.c client/connect/state.h \
	client/connect/sockets.c client/connect/sockets.h \
	client/connect/tls_files.c client/connect/tls_files.h \
	client/stacks/by_netrefs.c client/stacks/by_netrefs.h \
	client/stacks/core.c client/stacks/core.h \
	client/stacks/core_trouble.c client/stacks/core_trouble.h \
	client/stacks/fetch.c client/stacks/fetch.h \
	client/stacks/ask_gil.c client/stacks/ask_gil.h \
	client/stacks/family.c client/stacks/family.h \
	client/stacks/no_server.c client/stacks/no_server.h \
	client/stacks/others.c client/stacks/others.h \
	client/stacks/outside.c client/stacks/outside.h \
	client/stacks/permission.c client/stacks/permission.h \
	client/stacks/check.c client/stacks/check.h \
	client/stacks/print.c client/stacks/print.h \
	client/stacks/print_group.c client/stacks/print_group.h \
	client/stacks/print_tasks.c client/stacks/print_tasks.h \
	client/stacks/print_stack.c client/stacks/print_stack.h \
	client/stacks/process_facts.c client/stacks/process_facts.h \
	client/stacks/seen.c client/stacks/seen.h \
	client/stacks/sources.c client/stacks/sources.h \
	client/stacks/whole_file.c client/stacks/whole_file.h \
	client/eval/cell.c client/eval/cell.h \
	client/eval/display_netrefs.c client/eval/display_netrefs.h \
	client/eval/evaluator.c client/eval/evaluator.h \
	client/eval/expr.c client/eval/expr.h \
	client/eval/proxy.c client/eval/proxy.h \
	client/eval/script.c client/eval/script.h \
	client/eval/sent_module.h \
	client/eval/traceback.c client/eval/traceback.h \
	client/eval/wait.c client/eval/wait.h \
	client/prompt/cell_history.c client/prompt/cell_history.h \
	client/prompt/complete.c client/prompt/complete.h \
	client/prompt/complete_cells.c client/prompt/complete_cells.h \
	client/prompt/complete_netrefs.c client/prompt/complete_netrefs.h \
	client/prompt/external_editor.c client/prompt/external_editor.h \
	client/prompt/editor.c client/prompt/editor.h \
	client/prompt/help.c client/prompt/help.h \
	client/prompt/history_file.c client/prompt/history_file.h \
	client/prompt/inspection.c client/prompt/inspection.h \
	client/prompt/keyboard.c client/prompt/keyboard.h \
	client/prompt/libedit.c client/prompt/libedit.h \
	client/prompt/magic.c client/prompt/magic.h \
	client/prompt/magic_files.c client/prompt/magic_files.h \
	client/prompt/magic_reconnect.c client/prompt/magic_reconnect.h \
	client/prompt/magic_stacks.c client/prompt/magic_stacks.h \
	client/prompt/repl.c client/prompt/repl.h \
	client/prompt/shell.c client/prompt/shell.h \
	client/prompt/terminal.c client/prompt/terminal.h \
	client/prompt/words.c client/prompt/words.h
client_pystuck_LDADD = common/libcommon.la stackreader/libstackreader.la procfs/libprocfs.la \
	report/libreport.la \
	librpyc/librpyc-internal.la $(LIBEDIT_LIBS)
client_pystuck_LDFLAGS = $(AM_LDFLAGS) $(CLIENT_LDFLAGS)

# The Python source that the client sends to the program, as C strings: see eval/sent_module.h. The
# collector is a part of the package. Its parts are joined into one file, without the lines that import a
# part.
client_remote = eval/run_cell prompt/completion prompt/inspection
client_inc = $(client_remote:%=client/%.inc) client/collector.inc
EXTRA_DIST += $(client_remote:%=client/%.py)
CLEANFILES += $(client_inc) client/collector.py
client/collector.py: $(collector_parts)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
		sed -e '/^from \._.*($$/,/^)/d' -e '/^from \._/d' $^ >$@.new && mv $@.new $@
make_inc = $(AM_V_GEN)$(MKDIR_P) $(@D) && \
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< >$@.new && mv $@.new $@
# The same as a Python literal.
make_literal_inc = $(AM_V_GEN)$(MKDIR_P) $(@D) && \
	sed -e 's/\\/\\\\/g' -e "s/'/\\\\'/g" -e 's/\\/\\\\/g' -e 's/"/\\"/g' \
		-e "s/.*/\"'&\\\\\\\\n'\\\\n\"/" $< >$@.new && mv $@.new $@
client/collector.inc: client/collector.py
	$(make_inc)
$(client_remote:%=client/%.inc): client/%.inc: client/%.py
	$(make_literal_inc)
client_pystuck_CPPFLAGS = $(AM_CPPFLAGS) $(CLIENT_CPPFLAGS) $(LIBEDIT_CFLAGS) -I$(srcdir)/common -I$(srcdir)/client \
	-I$(srcdir)/stackreader -Iclient
client/eval/pystuck-cell.$(OBJEXT) client/prompt/pystuck-complete_cells.$(OBJEXT) \
client/prompt/pystuck-inspection.$(OBJEXT) client/pystuck-collector.$(OBJEXT): $(client_inc)

dist_man_MANS = doc/pystuck.1

# Completion in shells.
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = packaging/completion/bash/pystuck
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = packaging/completion/zsh/_pystuck
fishcompletiondir = $(datadir)/fish/vendor_completions.d
dist_fishcompletion_DATA = packaging/completion/fish/pystuck.fish
