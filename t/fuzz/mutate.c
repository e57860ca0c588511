// SPDX-License-Identifier: MIT
/* For libFuzzer: changes one part of an input (kernel.h), so that the parts
 * behind it stay what they are.
 */
#include <string.h>

#include "kernel.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);

/* Where the part is that @at lies in, or the end. */
static size_t find_part(const uint8_t *data, size_t size, size_t at,
			struct part *head)
{
	size_t begin = 0;

	while (size - begin >= sizeof(*head)) {
		memcpy(head, data + begin, sizeof(*head));
		if (head->len > size - begin - sizeof(*head))
			break;
		if (begin + sizeof(*head) + head->len > at)
			return begin;
		begin += sizeof(*head) + head->len;
	}
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	static uint8_t tail[1 << 16];
	struct part head;
	size_t begin, end, room, len, rest;

	begin = size ? find_part(data, size, seed / 16 % size, &head) : size;
	/* Now and then all of it, so that parts come and go. */
	if (begin == size || seed % 16 == 0)
		return LLVMFuzzerMutate(data, size, max);
	if (seed % 16 == 1)
		return LLVMFuzzerMutate(data + begin, sizeof(head),
					sizeof(head)) == sizeof(head) ?
		       size : LLVMFuzzerMutate(data, size, max);
	begin += sizeof(head);
	end = begin + head.len;
	rest = size - end;
	if (rest > sizeof(tail) || size > max)
		return LLVMFuzzerMutate(data, size, max);
	room = head.len + (max - size);
	/* libFuzzer makes one byte of nothing, even where none has room. */
	if (!room)
		return LLVMFuzzerMutate(data, size, max);
	memcpy(tail, data + end, rest);
	len = LLVMFuzzerMutate(data + begin, head.len,
			       room < UINT16_MAX ? room : UINT16_MAX);
	head.len = (uint16_t)len;
	memcpy(data + begin - sizeof(head), &head, sizeof(head));
	memcpy(data + begin + len, tail, rest);
	return begin + len + rest;
}
