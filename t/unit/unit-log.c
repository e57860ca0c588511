// SPDX-License-Identifier: MIT
/* The log's lines: whatever bytes a value has, one event is one line, and a
 * program that reads key=value gets back what was put in.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "unit.h"

enum { ROUNDS = 20000, VALUE_MAX = 600 };

static struct log line;
static char file[4096];

/* The value of @key in @text, unescaped; NULL: it is not there, or the line is
 * not made as it should be.
 */
static const char *get(const char *text, const char *key)
{
	static char value[LOG_LINE_MAX];
	size_t len = strlen(key), n;
	const char *at = text;
	unsigned int byte;
	bool match;

	while (*at && *at != '\n') {
		match = !strncmp(at, key, len) && at[len] == '=';
		at += strcspn(at, "= \n");
		if (*at++ != '=')
			return NULL;
		for (n = 0; *at != '"' && *at > ' '; n++)
			value[n] = *at++;
		if (!n && *at++ == '"') {
			for (; *at && *at != '"'; n++) {
				if (*at != '\\') {
					value[n] = *at++;
				} else if (at[1] == 'x') {
					if (sscanf(at + 2, "%2x", &byte) != 1)
						return NULL;
					value[n] = (char)byte;
					at += 4;
				} else {
					value[n] = at[1];
					at += 2;
				}
			}
			if (*at++ != '"')
				return NULL;
		}
		value[n] = '\0';
		if (match)
			return value;
		if (*at && *at != '\n' && *at++ != ' ')
			return NULL;
	}
	return NULL;
}

static const char *or_none(const char *value)
{
	return value ? value : "(none)";
}

static void escapes(const char *value, const char *want)
{
	char whole[256];
	size_t start;

	log_begin(&line);
	start = line.len;
	log_add(&line, "k", "%s", value);
	line.line[line.len] = '\0';
	snprintf(whole, sizeof(whole), " k=%s", want);
	is(line.line + start, whole, "as %s", want);
}

static void examples(void)
{
	escapes("ppp0", "ppp0");
	escapes("10.64.1.100", "10.64.1.100");
	escapes("a b", "\"a b\"");
	escapes("", "\"\"");
	escapes("a=b", "\"a=b\"");
	escapes("a\"b\\c", "\"a\\\"b\\\\c\"");
	escapes("a\nts=1 event=up", "\"a\\x0ats=1 event=up\"");
	escapes("\r\t\x1b[2J", "\"\\x0d\\x09\\x1b[2J\"");
	escapes("\xc3\xa9\xff\x7f", "\"\\xc3\\xa9\\xff\\x7f\"");
}

/* Any bytes but NUL, of any length: one line, and all of it comes back. */
static void random_values(void)
{
	unsigned int i, k, n, keys, bad = 0, forged = 0, broken = 0;
	char value[8][64], key[16];

	for (i = 0; i < unit_rounds(ROUNDS); i++) {
		log_begin(&line);
		keys = 1 + unit_random(8);
		for (k = 0; k < keys; k++) {
			n = unit_random(63);
			value[k][n] = '\0';
			while (n--)
				value[k][n] = (char)(1 + unit_random(
					unit_random(2) ? 255 : 60));
			snprintf(key, sizeof(key), "k%u", k);
			log_add(&line, key, "%s", value[k]);
		}
		line.line[line.len] = '\0';
		for (n = 0; n < line.len; n++)
			broken += line.line[n] < ' ' || line.line[n] > '~';
		for (k = 0; k < keys; k++) {
			snprintf(key, sizeof(key), "k%u", k);
			bad += strcmp(or_none(get(line.line, key)),
				      value[k]) != 0;
		}
		forged += get(line.line, "k9") != NULL;
	}
	ok(!broken, "no byte that is not printable ASCII");
	ok(!bad, "every value comes back as it was");
	ok(!forged, "no value looks like another key");
}

/* Is @got the whole of @value, or its beginning and "..." where it would take
 * more than VALUE_MAX characters?
 */
static bool cut_well(const char *got, const char *value, size_t written)
{
	size_t len = strlen(got);

	if (!strcmp(got, value))
		return written <= VALUE_MAX;
	return written > VALUE_MAX && len > 3 &&
	       !strcmp(got + len - 3, "...") && !strncmp(got, value, len - 3);
}

/* Longer than a value, or than the line, may be. */
static void long_values(void)
{
	static char value[2 * LOG_LINE_MAX];
	unsigned int i, n, bad = 0, lost = 0, cut = 0, endless = 0;
	size_t before, len;
	char key[16], c;

	memset(value, 'a', sizeof(value) - 1);
	log_begin(&line);
	log_add(&line, "long", "%s", value);
	line.line[line.len] = '\0';
	ok(strlen(or_none(get(line.line, "long"))) == VALUE_MAX + 3,
	   "a long value is cut at %d", VALUE_MAX);
	for (i = 0; i < unit_rounds(2000); i++) {
		log_begin(&line);
		for (n = 0; n < 40; n++) {
			before = line.len;
			len = unit_random(700);
			c = "a\n\""[unit_random(3)];
			memset(value, c, len);
			value[len] = '\0';
			len *= c == 'a' ? 1 : c == '"' ? 2 : 4;
			cut += len > VALUE_MAX;
			snprintf(key, sizeof(key), "k%u", n);
			log_add(&line, key, "%s", value);
			line.line[line.len] = '\0';
			/* Left out, as a whole. */
			lost += line.len == before;
			bad += line.len != before &&
			       !cut_well(or_none(get(line.line, key)), value,
					 len);
		}
		log_end(&line, "unchanged", INT64_MAX);
		endless += line.len >= sizeof(line.line);
		line.line[line.len] = '\0';
		endless += strcmp(or_none(get(line.line, "result")),
				  "unchanged") ||
			   strcmp(or_none(get(line.line, "took_us")),
				  "9223372036854775807");
	}
	ok(!bad && lost && cut, "what does not fit is cut (%u) or left out, as "
	   "a whole (%u)", cut, lost);
	ok(!endless, "the end of the line always fits");
}

/* As a terminal may be shown it. */
static void sentences(void)
{
	char text[32];

	log_escape("a \"b\" \\ \x1b[2J\n\xc3\xa9", text, sizeof(text));
	is(text, "a \"b\" \\ \\x1b[2J\\x0a\\xc3\\xa9", "a sentence");
	log_escape("0123456789012345678901234567890123", text, sizeof(text));
	is(text, "0123456789012345678901234567890", "what does not fit");
	log_escape("012345678901234567890123456789\n", text, sizeof(text));
	is(text, "012345678901234567890123456789", "nor half of it");
	log_escape("", text, sizeof(text));
	is(text, "", "nothing");
}

static const char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, file, sizeof(file) - 1);

	if (fd >= 0)
		close(fd);
	file[n > 0 ? n : 0] = '\0';
	return file;
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void refused(const char *path, const char *what, const char *sentence)
{
	struct err err = { "" };
	int code;

	log_begin(&line);
	code = log_write(&line, path, &err);
	ok(code < 0, "%s is refused", what);
	is(err.msg, sentence, "%s: the sentence", what);
}

static void writes(const char *dir)
{
	static const char odd[] = " is not a plain file of ours (one name, "
		"not writable by others) and stays as it is: move it away, it "
		"is made again";
	static const char plain[] = "put a plain file there, or name another "
		"one (log in mwan.ini)";
	char path[128], other[128], sentence[400];
	struct err err = { "" };
	struct stat st = { 0 };

	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	umask(077);
	log_begin(&line);
	log_add(&line, "if", "%s", "a\nb");
	ok(!log_write(&line, path, &err), "a missing log is made");
	ok(!stat(path, &st) && (st.st_mode & 07777) == 0640,
	   "its mode is 0640 in spite of the umask");
	log_write(&line, path, &err);
	ok(lines(slurp(path)) == 2 && !strcmp(or_none(get(file, "if")),
	   "a\nb"), "a line is a line");

	snprintf(sentence, sizeof(sentence), "the log %s%s", path, odd);
	ok(!link(path, other), "another name");
	refused(path, "a hard link", sentence);
	unlink(other);
	chmod(path, 0642);
	refused(path, "a log that others can write", sentence);
	chmod(path, 0640);
	rename(path, other);
	ok(!symlink(other, path), "a symbolic link");
	snprintf(sentence, sizeof(sentence), "cannot open the log %s: %s; %s",
		 path, strerror(ELOOP), plain);
	refused(path, "a symbolic link", sentence);
	ok(lines(slurp(other)) == 2, "and not followed");
	unlink(path);
	ok(!mkfifo(path, 0600), "a fifo that nobody reads");
	snprintf(sentence, sizeof(sentence), "cannot open the log %s: No "
		 "such device or address; %s", path, plain);
	refused(path, "a fifo", sentence);
	unlink(path);
	unlink(other);
	snprintf(sentence, sizeof(sentence), "cannot open the log %s: Is a "
		 "directory; %s", dir, plain);
	refused(dir, "a directory", sentence);
	refused("/dev/full", "a device", "the log /dev/full is not a plain "
		"file of ours (one name, not writable by others) and stays as "
		"it is: move it away, it is made again");
}

/* +05:45, and a summer half an hour ahead. */
static void times(void)
{
	struct tm tm = { 0 };
	time_t parsed, now = time(NULL);
	char head[64];

	setenv("TZ", "XXX-05:45", 1);
	tzset();
	log_begin(&line);
	line.line[line.len] = '\0';
	snprintf(head, sizeof(head), "%.60s", line.line);
	ok(line.len == strlen("ts=2026-01-02T03:04:05.678+05:45") &&
	   line.line[22] == '.' && !strcmp(head + 26, "+05:45"),
	   "milliseconds and an offset with a colon: %s", head);
	ok(strptime(head, "ts=%Y-%m-%dT%H:%M:%S", &tm), "it is a time");
	parsed = timegm(&tm) - (5 * 60 + 45) * 60;
	ok(parsed - now >= 0 && parsed - now < 60, "and it is now");
	setenv("TZ", "XXX+09:30", 1);
	tzset();
	log_begin(&line);
	line.line[line.len] = '\0';
	is(line.line + 26, "-09:30", "west of Greenwich");
	/* Without TZ libc reads /etc/localtime: the tools clear theirs. */
	unsetenv("TZ");
	tzset();
	log_begin(&line);
	ok(line.len == 32, "the system's own zone");
}

int main(void)
{
	char dir[] = "/tmp/unit-log.XXXXXX";

	examples();
	random_values();
	long_values();
	sentences();
	if (ok(mkdtemp(dir) != NULL, "a directory"))
		writes(dir);
	rmdir(dir);
	times();
	return done();
}
