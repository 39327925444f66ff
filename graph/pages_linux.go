package graph

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// roomFor makes room for n values, in large pages of memory where the system
// has them: what is written all over it then waits less for addresses, and the
// system hands it out in fewer pieces.
func roomFor[T any](n int) []T {
	const page = 2 << 20
	v := make([]T, n)
	size := uintptr(n) * unsafe.Sizeof(*new(T))
	if size < 2*page {
		return v
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(v)))
	skip := -start & (page - 1)
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), size)[skip:]
	// Refused, it is as it was.
	_ = unix.Madvise(bytes[:len(bytes)&^(page-1)], unix.MADV_HUGEPAGE)
	return v
}

// populate has the system map all of a mapped file; false if it cannot.
func populate(file []byte) bool {
	return len(file) > 0 && unix.Madvise(file, unix.MADV_POPULATE_READ) == nil
}
