/* memory.c: libcurl brings forty libraries with it, of which a worker uses three; to start them,
 * and to read a list of authorities, touches far more than the work after it does. */
#include "memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK_OF_ITS_OWN_BYTES = 64 * 1024, TOP_BYTES_KEPT = 128 * 1024 };

/* Left alone, glibc gives each thread an arena that keeps what it once held, and after the first
 * large block that is freed it serves blocks of that size from the heap, where they stay. Here all
 * threads share one arena, as they mostly wait, and a block as large as a buffer is the kernel's
 * again once it is freed. */
void memory_begin(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, BLOCK_OF_ITS_OWN_BYTES);
    mallopt(M_TRIM_THRESHOLD, TOP_BYTES_KEPT);
}

/* What can be written may hold what is in no file; all else can be read from there again. */
static int segments_return(struct dl_phdr_info *object, size_t n, void *page)
{
    (void)n;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || p->p_flags & PF_W)
            continue;
        uintptr_t mask = *(uintptr_t *)page - 1;
        uintptr_t from = (object->dlpi_addr + p->p_vaddr) & ~mask;
        uintptr_t to = (object->dlpi_addr + p->p_vaddr + p->p_memsz + mask) & ~mask;
        madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void memory_return(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    malloc_trim(0);
    dl_iterate_phdr(segments_return, &page);
}
