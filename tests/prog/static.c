/* SPDX-License-Identifier: MIT */
/* LINK: static.  static FILE: copies FILE to its standard output; linked without shared libraries. */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	char buf[4096];
	ssize_t n;

	if (fd < 0)
		return 1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(1, buf, (size_t)n) != n)
			return 1;
	return n < 0;
}
