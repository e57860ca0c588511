// SPDX-License-Identifier: MIT
/* For t/gates coverage, linked with --wrap=_exit: a child that ends so has
 * counted lines as well, and only exit(3) would write them.
 */
void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
