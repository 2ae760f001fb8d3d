#include "print.h"

#include "memory.h"
#include "syscalls.h"

struct output {
	int fd;
	int total;
	size_t used;
	char buffer[512];
};

static void flush(struct output *out)
{
	size_t done = 0;
	while (done < out->used) {
		long n = sys_write(out->fd, out->buffer + done, out->used - done);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	out->used = 0;
}

static void put(struct output *out, char c)
{
	if (out->used == sizeof out->buffer)
		flush(out);
	out->buffer[out->used++] = c;
	out->total++;
}

static void put_padded(struct output *out, const char *text, size_t length, int width, int left, char pad)
{
	int space = width - (int)length;
	for (; !left && space > 0; space--)
		put(out, pad);
	for (size_t i = 0; i < length; i++)
		put(out, text[i]);
	for (; left && space > 0; space--)
		put(out, ' ');
}

static void put_number(struct output *out, unsigned long value, int negative, unsigned base, int width, int left,
		       char pad)
{
	char digits[24];
	size_t at = sizeof digits;
	do
		digits[--at] = "0123456789abcdef"[value % base];
	while ((value /= base));
	if (negative && pad == '0') {
		put(out, '-');
		width--;
	} else if (negative) {
		digits[--at] = '-';
	}
	put_padded(out, digits + at, sizeof digits - at, width, left, pad);
}

static void format_into(struct output *out, const char *f, va_list arguments)
{
	for (; *f; f++) {
		if (*f != '%') {
			put(out, *f);
			continue;
		}
		int left = 0, width = 0, longs = 0;
		char pad = ' ';
		for (f++; *f == '-' || *f == '0'; f++) {
			left |= *f == '-';
			pad = *f == '0' ? '0' : pad;
		}
		for (; *f >= '0' && *f <= '9'; f++)
			width = width * 10 + (*f - '0');
		for (; *f == 'l' || *f == 'z'; f++)
			longs++;
		switch (*f) {
		case 'd':
		case 'i': {
			long value = longs ? va_arg(arguments, long) : va_arg(arguments, int);
			unsigned long magnitude = value < 0 ? -(unsigned long)value : (unsigned long)value;
			put_number(out, magnitude, value < 0, 10, width, left, pad);
			break;
		}
		case 'u':
		case 'x': {
			unsigned long value = longs ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
			put_number(out, value, 0, *f == 'x' ? 16 : 10, width, left, pad);
			break;
		}
		case 'p':
			put(out, '0');
			put(out, 'x');
			put_number(out, (unsigned long)va_arg(arguments, void *), 0, 16, width, left, pad);
			break;
		case 'c': {
			char c = (char)va_arg(arguments, int);
			put_padded(out, &c, 1, width, left, ' ');
			break;
		}
		case 's': {
			const char *text = va_arg(arguments, const char *);
			if (!text)
				text = "(null)";
			put_padded(out, text, strlen(text), width, left, ' ');
			break;
		}
		case '%':
			put(out, '%');
			break;
		default: /* not a conversion of this library: shown as it is */
			put(out, '%');
			if (!*f)
				return;
			put(out, *f);
		}
	}
}

int vdprintf(int fd, const char *format, va_list arguments)
{
	struct output out;
	out.fd = fd;
	out.total = 0;
	out.used = 0;
	format_into(&out, format, arguments);
	flush(&out);
	return out.total;
}

int printf(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int total = vdprintf(1, format, arguments);
	va_end(arguments);
	return total;
}

int eprintf(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int total = vdprintf(2, format, arguments);
	va_end(arguments);
	return total;
}

void fail(const char *format, ...)
{
	struct output out;
	va_list arguments;
	out.fd = 2;
	out.total = 0;
	out.used = 0;
	for (const char *p = program_name; *p; p++)
		put(&out, *p);
	for (const char *p = ": FAIL: "; *p; p++)
		put(&out, *p);
	va_start(arguments, format);
	format_into(&out, format, arguments);
	va_end(arguments);
	put(&out, '\n');
	flush(&out);
	sys_exit_group(1);
}
