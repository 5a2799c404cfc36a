package tuning

import (
	"math"
	"strconv"
	"strings"
)

// Load is what a host is to hold.
type Load struct {
	Connections int   // streams at a time
	Memory      int64 // bytes that ssedge may have; 0: what the host has
	// addresses that connections come from, if they are few: proxies, a load generator; 0: they are
	// many
	Sources int
	Port    int // that ssedge listens on; 0: 8080
}

// What streams take (bench/results/README.md, "How cost grows"; bench/results/2026-11-26-million).
const (
	userBytes   = 100       // of ssedge's memory, a stream of a topic that others have
	ownBytes    = 64 << 20  // of ssedge's memory, without streams
	history     = 256 << 20 // of ssedge's memory, histories at their most (--history-max)
	kernelBytes = 4 << 10   // of the kernel's, a connection without unsent data
	pageBytes   = 4096      // what tcp_mem counts in
)

// files is how many files a server of that many streams has open at its most: besides streams,
// connections whose request has not wholly come (--heads-max 8192, and no more than come), other
// requests (--http-connections-max 1024), and its own.
func files(l Load) int64 { return int64(l.Connections) + otherFiles(l) }

// serveFiles is what ssedge serve needs besides streams to start: its own (engine/budget.go,
// reservedFiles: 192, more with very many cores), and --http-connections-max 1024
// (engine/validate.go, checkFiles).
const serveFiles = 192 + 1024

// leastFiles is with how many open files ssedge serve starts. With fewer than [files], clients that
// connect all at once may have to wait.
func leastFiles(l Load) int64 { return int64(l.Connections) + serveFiles }

func otherFiles(l Load) int64 { return min(int64(l.Connections), 8192) + 1808 }

// backlog is how many connections may wait to be accepted: those that come in 100 ms if all come
// back within ten seconds; at least 4096, for a loop may be busy, or as many as there are.
func backlog(l Load) int64 {
	n := int64(l.Connections)
	return min(max(n/100, min(n, 4096)), 65535)
}

// kernelMemory is what the kernel needs for streams, bytes.
func kernelMemory(l Load) int64 { return int64(l.Connections) * kernelBytes }

// userMemory is what ssedge needs, bytes.
func userMemory(l Load) int64 { return int64(l.Connections)*userBytes + ownBytes + history }

// buffers is what a broadcast leaves in the kernel at most, bytes.
func buffers(l Load) int64 { return int64(l.Connections) * pageBytes }

// A server's address and port can be reached from so many ports of one address: those from 32768 to
// 60999 by default, and those from 10240 to 65535 where there are no servers on them.
const (
	usualPorts = 60999 - 32768 + 1
	mostPorts  = 65535 - 10240 + 1
)

// ports is how many ports each address needs that connections come from.
func ports(l Load) int { return (l.Connections + l.Sources - 1) / max(l.Sources, 1) }

func port(l Load) int {
	if l.Port == 0 {
		return 8080
	}
	return l.Port
}

// parse reads a number; what is larger than an int64 counts as the largest.
func parse(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && strings.Trim(s, "0123456789") == "" {
		return math.MaxInt64
	}
	return n
}

// join writes the numbers of a setting; those that are at most so are negative in a rule.
func join(values []int64) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = strconv.FormatInt(max(v, -v), 10)
	}
	return strings.Join(texts, " ")
}

// size says a number of bytes.
func size(n int64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		if n < 10*1024 || unit == "TiB" {
			return strconv.FormatInt(n, 10) + " " + unit
		}
		n >>= 10
	}
	return ""
}

// thousands writes a number with commas.
func thousands[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
