/*
 * proc [PAGES]
 * Reads /proc/self/maps and /proc/vmstat. PAGES (default 64) is the number of pages touched in between.
 * Checks: every line of maps has Linux's format, page-aligned and ascending ranges; the program's code, data,
 * stack ([stack]), break ([heap]) and its own mappings are there with their rights, split where mprotect split
 * them and gone after munmap; a read in small pieces gives the same text. Every line of vmstat is a name and
 * a number; pgfault counts at least the pages touched.
 * Output: lines and faults. Status 0.
 */
#include "program.h"

const char program_name[] = "proc";

#define TEXT_SIZE (64UL * 1024)

struct region {
	uintptr_t start, end;
	char rights[5];
	const char *name; /* up to the end of the line */
};

static char *text;
static size_t length;

/* Reads a whole file in pieces of `piece` bytes; the text ends with a zero byte. */
static void read_file(const char *path, size_t piece)
{
	long fd = sys_open(path, O_RDONLY), n;
	check(fd > 2, "opening %s returned %ld", path, fd);
	length = 0;
	while ((n = sys_read((int)fd, text + length, piece)) > 0) {
		length += (size_t)n;
		check(length + piece < TEXT_SIZE, "%s is longer than %lu bytes", path, TEXT_SIZE);
	}
	check(n == 0, "reading %s returned %ld", path, n);
	text[length] = 0;
	check(length > 0 && text[length - 1] == '\n', "%s does not end with a newline", path);
	long result = sys_close((int)fd);
	check(result == 0, "closing %s returned %ld", path, result);
}

static const char *parse_hex(const char *p, uint64_t *value)
{
	const char *start = p;
	for (*value = 0; (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f'); p++)
		*value = *value << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	return p == start ? 0 : p;
}

static const char *expect_char(const char *p, char c)
{
	return p && *p == c ? p + 1 : 0;
}

/* start-end rwxp offset major:minor inode, then spaces and a name. NULL if it is not that, else the next line. */
static const char *parse_line(const char *line, struct region *region)
{
	uint64_t start, end, ignored;
	const char *p = parse_hex(line, &start);
	p = expect_char(p, '-');
	p = p ? parse_hex(p, &end) : 0;
	p = expect_char(p, ' ');
	if (!p)
		return 0;
	for (unsigned i = 0; i < 4; i++, p++) {
		if (*p != "rwxp"[i] && *p != '-' && !(i == 3 && *p == 's'))
			return 0;
		region->rights[i] = *p;
	}
	region->rights[4] = 0;
	p = expect_char(p, ' ');
	p = p ? parse_hex(p, &ignored) : 0;
	p = expect_char(p, ' ');
	p = p ? parse_hex(p, &ignored) : 0;
	p = expect_char(p, ':');
	p = p ? parse_hex(p, &ignored) : 0;
	p = expect_char(p, ' ');
	p = p ? parse_hex(p, &ignored) : 0;
	if (!p)
		return 0;
	while (*p == ' ')
		p++;
	region->start = start;
	region->end = end;
	region->name = p;
	while (*p && *p != '\n')
		p++;
	return expect_char(p, '\n');
}

/* The region that holds `address`; checks the whole text on the way. Returns 0 if there is none. */
static int find(const void *address, struct region *found, unsigned *lines)
{
	uintptr_t at = (uintptr_t)address, last = 0;
	int is_found = 0;
	*lines = 0;
	for (const char *line = text; *line;) {
		struct region region;
		const char *next = parse_line(line, &region);
		check(next, "/proc/self/maps: line %u is malformed: %s", *lines + 1, line);
		check(region.start < region.end && region.start >= last, "/proc/self/maps: line %u is not in order",
		      *lines + 1);
		check((region.start | region.end) % page_size() == 0, "/proc/self/maps: line %u is not in pages", *lines + 1);
		if (at >= region.start && at < region.end) {
			*found = region;
			is_found = 1;
		}
		last = region.end;
		line = next;
		++*lines;
	}
	return is_found;
}

static struct region expect_region(const char *what, const void *address, const char *rights, const char *name)
{
	struct region region;
	unsigned lines;
	check(find(address, &region, &lines), "/proc/self/maps: no line for the %s at %p", what, address);
	check(strcmp(region.rights, rights) == 0, "/proc/self/maps: the %s has the rights %s instead of %s", what,
	      region.rights, rights);
	check(!name || strncmp(region.name, name, strlen(name)) == 0, "/proc/self/maps: the %s is not called %s", what,
	      name);
	return region;
}

static unsigned check_maps(void)
{
	size_t page = page_size();
	struct region region;
	unsigned lines;
	char *heap = (char *)sys_brk(0);
	long grown = sys_brk(heap + 4 * page);
	check(grown == (long)heap + 4 * (long)page, "brk returned %lx", grown);
	char *own = map(3 * page);
	long result = sys_mprotect(own + page, page, PROT_READ);
	check(result == 0, "mprotect returned %ld", result);

	read_file("/proc/self/maps", 4096);
	expect_region("code", (void *)(uintptr_t)main, "r-xp", 0);
	expect_region("constant data", program_name, "r--p", 0);
	expect_region("data", &length, "rw-p", 0);
	expect_region("stack", __builtin_frame_address(0), "rw-p", "[stack]");
	expect_region("heap", heap, "rw-p", "[heap]");
	region = expect_region("first page", own, "rw-p", 0);
	check(region.end == (uintptr_t)own + page, "/proc/self/maps: the first page's mapping ends at %lx", region.end);
	region = expect_region("read-only page", own + page, "r--p", 0);
	check(region.start == (uintptr_t)own + page && region.end == (uintptr_t)own + 2 * page,
	      "/proc/self/maps: the read-only page is %lx-%lx", region.start, region.end);
	expect_region("last page", own + 2 * page, "rw-p", 0);

	uint64_t sum = 0, again = 0;
	size_t whole = length;
	for (size_t i = 0; i < whole; i++)
		sum = sum * 31 + (unsigned char)text[i];
	read_file("/proc/self/maps", 61);
	for (size_t i = 0; i < length; i++)
		again = again * 31 + (unsigned char)text[i];
	check(whole == length && sum == again, "/proc/self/maps: small reads give %zu bytes, large ones %zu", length,
	      whole);

	unmap(own, 3 * page);
	read_file("/proc/self/maps", 4096);
	check(!find(own + page, &region, &lines), "/proc/self/maps: an unmapped page is there");
	return lines;
}

/* The value of one counter of /proc/vmstat; checks the whole text. */
static uint64_t read_counter(const char *name)
{
	uint64_t found = ~0UL;
	read_file("/proc/vmstat", 4096);
	for (const char *p = text; *p; p++) {
		const char *start = p;
		while (*p && *p != ' ' && *p != '\n')
			p++;
		size_t name_length = (size_t)(p - start);
		check(name_length > 0 && *p == ' ', "/proc/vmstat: a line without a number: %s", start);
		uint64_t value = 0;
		for (p++; *p >= '0' && *p <= '9'; p++)
			value = value * 10 + (uint64_t)(*p - '0');
		check(*p == '\n' && p[-1] != ' ', "/proc/vmstat: not a number: %s", start);
		if (name_length == strlen(name) && strncmp(start, name, name_length) == 0)
			found = value;
	}
	check(found != ~0UL, "/proc/vmstat has no %s", name);
	return found;
}

int main(int argc, char **argv)
{
	unsigned long pages = argument(argc, argv, 1, "pages", 64, 1, 65536);
	arguments_end(argc, argv, 1);
	text = map(TEXT_SIZE);
	unsigned lines = check_maps();
	uint64_t before = read_counter("pgfault");
	char *region = map(pages * page_size());
	for (size_t i = 0; i < pages; i++)
		*page_word(region, i) = i;
	uint64_t after = read_counter("pgfault");
	check(after - before >= pages, "/proc/vmstat: pgfault grew by %lu for %lu pages touched", after - before, pages);
	printf("proc: %u mappings in order, pgfault counts %lu touched pages\n", lines, pages);
	return 0;
}
