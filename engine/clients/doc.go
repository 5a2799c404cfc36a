// Package clients has tests only: real clients of event streams, as they are published and with
// their versions pinned, are tried against the built server.
//
// A matrix of clients and trials is in README.md, and is what the tests hold the clients to: a
// deviation fails, whether it is for better or worse. There the clients' own faults are marked,
// with their reasons.
//
// Between a client and its server stands a wire (wire_test.go), a TCP proxy that cuts connections
// at chosen bytes, holds new ones until they are wanted, and refuses them. A trial
// (trial_test.go) publishes numbered events and has the wire do its worst; a judge
// (judge_test.go) compares what was published with what the client handed out.
//
// Each client is a few lines that call it as its own README does, and print a line of JSON for
// each thing that it hands out: node/clients for those of npm, in Node.js or in a browser, and
// goclients, a module of its own, for those of Go. Browsers are driven by a page
// (browser_test.go): nothing is attached to them.
//
// go test runs a short form; CLIENTS=all, or make clients, runs all of it. install.sh installs
// what is pinned.
package clients
