module github.com/mars-rec/mars/bench/graph

go 1.26.0

require github.com/mars-rec/mars v0.0.0

require golang.org/x/sys v0.49.0

replace github.com/mars-rec/mars => ../..
