//go:build !linux

package powerlaw

import "time"

// processor returns the time on the wall: other systems do not tell what a
// thread used.
func processor() time.Duration { return time.Duration(time.Now().UnixNano()) }
func process() time.Duration   { return processor() }
