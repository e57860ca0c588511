// SPDX-License-Identifier: MIT
#include <stdbool.h>

#include "tool/hook.h"

int main(int argc, char **argv)
{
	return hook_main("ip-down.local", false, argc, argv);
}
