// SPDX-License-Identifier: MIT
/* What starting a program costs by itself (bench-start.c). */
int main(void)
{
	return 0;
}
