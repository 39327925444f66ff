package graph

import "runtime"

// Warm reads all of the snapshot that the graph was opened from into memory, if
// it is not there, and maps it, in large pages where the system keeps it so: no
// question meets a page for the first time then. It is for whoever will ask much;
// queries work without it, and meanwhile. A graph in memory has nothing to warm.
func (g *Graph) Warm() {
	const page = 4096
	if g.file == nil || populate(g.file.bytes) {
		return
	}
	sum := byte(0)
	for k := 0; k < len(g.file.bytes); k += page {
		sum += g.file.bytes[k]
	}
	runtime.KeepAlive(sum)
}
