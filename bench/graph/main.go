// Command graph answers the questions of compare.py from a snapshot, so that
// the peers are asked the same in the same run.
//
//	graph SNAPSHOT < questions > answers
//
// A question is a line "item 17", "user 17" or "all 50": the nearest items of an
// item, the nearest users of a user and what they have, the nearest 50 of all
// items. An answer is a line with the nanoseconds of processor time that it
// took, and what was found, "id:score", best first.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mars-rec/mars/graph"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: graph SNAPSHOT < questions")
	}
	g, err := graph.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	g.Warm() // the peers have read all of their data, too
	runtime.LockOSThread()
	cut := g.At(g.End())
	lines := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		kind, id, _ := strings.Cut(lines.Text(), " ")
		var found []string
		var took time.Duration
		switch kind {
		case "item":
			i, ok := cut.Item(id)
			if !ok {
				log.Fatalf("there is no item %s", id)
			}
			start := clock(unix.CLOCK_THREAD_CPUTIME_ID)
			near := cut.ItemCF(i, graph.Query{})
			took = clock(unix.CLOCK_THREAD_CPUTIME_ID) - start
			for _, n := range near {
				found = append(found, fmt.Sprintf("%s:%.9f", cut.ItemID(n.Item), n.Score))
			}
		case "user":
			u, ok := cut.User(id)
			if !ok {
				log.Fatalf("there is no user %s", id)
			}
			start := clock(unix.CLOCK_THREAD_CPUTIME_ID)
			near := cut.UserCF(u, graph.UserQuery{Neighbours: 100})
			took = clock(unix.CLOCK_THREAD_CPUTIME_ID) - start
			for _, n := range near {
				found = append(found, fmt.Sprintf("%s:%.9f", cut.ItemID(n.Item), n.Score))
			}
		case "all":
			start := clock(unix.CLOCK_PROCESS_CPUTIME_ID)
			all(cut, id)
			took = clock(unix.CLOCK_PROCESS_CPUTIME_ID) - start
		default:
			log.Fatalf("unknown question %q", lines.Text())
		}
		fmt.Fprintln(out, int64(took), strings.Join(found, " "))
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

// all asks for the nearest k of all items.
func all(cut *graph.Cut, number string) {
	k := 0
	if _, err := fmt.Sscan(number, &k); err != nil {
		log.Fatal(err)
	}
	var items []graph.Item
	for i := range cut.AllItems() {
		items = append(items, i)
	}
	work := make(chan graph.Item, 256)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range work {
				cut.ItemCF(i, graph.Query{K: k})
			}
		})
	}
	for _, i := range items {
		work <- i
	}
	close(work)
	wait.Wait()
}

func clock(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		log.Fatal(err)
	}
	return time.Duration(t.Nano())
}
