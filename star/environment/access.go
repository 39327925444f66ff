package environment

// Access says who may reach an environment over HTTP. The zero value lets in
// the programs of this machine. Every face guards itself by it: requests that
// are addressed to another host, or come from a web page of another origin, are
// refused before anything is read.
type Access struct {
	Token string   // that clients must send as a bearer token, or in X-API-Key; "": none is asked for
	Hosts []string // names besides this machine's that requests may be addressed to; "*": any
	Limit int64    // bytes of a request; 0: 1 MB
}
