/* SPDX-License-Identifier: MIT */
/* spin FILE: appends a line to FILE for ever, some times a second; stops when it cannot.  "-": only sleeps. */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	alarm(60); /* should everything else fail */
	for (;;) {
		if (strcmp(argv[1], "-")) {
			int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644);

			if (fd < 0 || write(fd, "x\n", 2) != 2)
				return 1;
			close(fd);
		}
		usleep(20000);
	}
}
