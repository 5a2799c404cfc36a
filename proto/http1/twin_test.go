package http1

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A second parser, slow and obvious: it takes whole lines, splits and matches them, and
// shares no code with the first. It gives a status instead of an Error: 0 is accepted,
// -1 means that the input ends within a line it would still have to judge.

const twinUndecided = -1

var (
	twinHost   = `(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=]+)(?::[0-9]*)?`
	twinChar   = `(?:[!-$&->@-~]|%[0-9a-fA-F]{2})` // without '?', with '#'
	twinOrigin = regexp.MustCompile(`^(/` + twinChar + `*)(?:\?((?:` + twinChar + `|\?)*))?$`)
	twinAbs    = regexp.MustCompile(`^(?i:https?)://(` + twinHost + `)(/` + twinChar +
		`*)?(?:\?((?:` + twinChar + `|\?)*))?$`)
	twinIsHost  = regexp.MustCompile(`^(` + twinHost + `)?$`)
	twinToken   = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	twinVersion = regexp.MustCompile(`^HTTP/(?:[02-9]|1\.[2-9])`)
	twinControl = regexp.MustCompile(`[\x00-\x08\x0a-\x1f\x7f]`)
)

func twinParse(in string, lim Limits) (status int, w want) {
	short := len(in) < lim.HeadBytes
	in = in[:min(len(in), lim.HeadBytes)]
	runOut := 431
	if short {
		runOut = twinUndecided
	}
	all := strings.Split(in, "\n")
	complete := all[:len(all)-1] // what follows the last LF is no line
	if status, w = twinLines(complete, lim); status != twinUndecided {
		return status, w
	}
	return runOut, w
}

func twinLines(lines []string, lim Limits) (int, want) {
	w := want{length: none, fields: []string{}}
	for empty := 0; len(lines) > 0 && lines[0] == "\r"; empty++ {
		if empty == 2 {
			return 400, w
		}
		w.n += 2
		lines = lines[1:]
	}
	if len(lines) == 0 {
		return twinUndecided, w
	}
	w.n += len(lines[0]) + 1
	if status := twinRequestLine(lines[0], lim, &w); status != 0 {
		return status, w
	}
	if !strings.HasSuffix(lines[0], "\r") {
		return 400, w
	}
	seen := map[string][]string{}
	for _, line := range lines[1:] {
		w.n += len(line) + 1
		if line == "\r" {
			return twinEnd(seen, &w), w
		}
		if len(line) == 0 || line[0] == ' ' || line[0] == '\t' || line[0] == '\r' {
			return 400, w
		}
		if len(w.fields) == lim.HeadersMax {
			return 431, w
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !twinToken.MatchString(name) {
			return 400, w
		}
		value, ok = strings.CutSuffix(value, "\r")
		if !ok || twinControl.MatchString(value) {
			return 400, w
		}
		value = strings.Trim(value, " \t")
		w.fields = append(w.fields, name+"="+value)
		lower := strings.ToLower(name)
		seen[lower] = append(seen[lower], value)
		if status := twinField(lower, value, seen, &w); status != 0 {
			return status, w
		}
	}
	return twinUndecided, w
}

func twinRequestLine(line string, lim Limits, w *want) int {
	parts := strings.SplitN(strings.TrimSuffix(line, "\r"), " ", 3)
	w.method = parts[0]
	if !twinToken.MatchString(w.method) || len(w.method) > 32 || w.method == "CONNECT" ||
		len(parts) == 1 {
		return 400
	}
	w.target = parts[1]
	if len(w.target) > lim.TargetBytes {
		return 414 // or 400, when there is a fault before the limit: see agrees
	}
	if status := twinTarget(w.method, w.target, w); status != 0 {
		return status
	}
	if len(parts) < 3 {
		return 400
	}
	switch version := parts[2]; {
	case version == "HTTP/1.0", version == "HTTP/1.1":
		w.minor = int(version[7] - '0')
		return 0
	case twinVersion.MatchString(version):
		return 505
	}
	return 400
}

func twinTarget(method, target string, w *want) int {
	if target == "*" && method == "OPTIONS" {
		w.path = "*"
		return 0
	}
	if m := twinOrigin.FindStringSubmatch(target); m != nil {
		w.path, w.query = m[1], m[2]
	} else if m := twinAbs.FindStringSubmatch(target); m != nil {
		w.authority, w.path, w.query = m[1], m[2], m[3]
		if w.path == "" {
			w.path = "/"
		}
	} else {
		return 400
	}
	if strings.Contains(target, "#") || strings.ContainsAny(w.path, `\`) ||
		strings.Contains(w.path, "%00") {
		return 400
	}
	return 0
}

func twinField(name, value string, seen map[string][]string, w *want) int {
	once := []string{"host", "content-length", "transfer-encoding", "last-event-id",
		"authorization", "origin", "expect"}
	if slices.Contains(once, name) && len(seen[name]) > 1 {
		return 400
	}
	framing := name == "content-length" || name == "transfer-encoding"
	if framing && seen["content-length"] != nil && seen["transfer-encoding"] != nil {
		return 400
	}
	switch name {
	case "host":
		if !twinIsHost.MatchString(value) {
			return 400
		}
		if w.authority == "" {
			w.authority = value
		}
	case "content-length":
		if strings.ContainsAny(value, "+-") {
			return 400
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return 400
		}
		w.length = n
	case "transfer-encoding":
		if w.minor == 0 {
			return 400
		}
		if strings.ToLower(value) != "chunked" {
			return 501
		}
		w.chunked = true
	case "expect":
		if strings.ToLower(value) != "100-continue" {
			return 417
		}
		w.expect = w.minor == 1
	case "upgrade":
		w.upgrade = true
	}
	return 0
}

func twinEnd(seen map[string][]string, w *want) int {
	if w.minor == 1 && len(seen["host"]) != 1 {
		return 400
	}
	var options []string
	for _, option := range strings.Split(strings.ToLower(strings.Join(seen["connection"], ",")),
		",") {
		options = append(options, strings.Trim(option, " \t"))
	}
	w.close = slices.Contains(options, "close") || w.minor == 0 &&
		!slices.Contains(options, "keep-alive")
	return 0
}

// agrees compares one input. The twin judges whole lines, so it cannot say what is wrong
// with the line an input ends in; that is what the examples are for.
func agrees(in string, lim Limits, cuts ...int) (status int, complaint string) {
	got := feed(in, &lim, cuts...)
	status, w := twinParse(in, lim)
	decided := status != twinUndecided && !(status == 431 && len(in) >= lim.HeadBytes)
	switch {
	case !decided && got.done,
		got.err == nil && !got.done && status != twinUndecided,
		decided && status != 0 &&
			(got.err == nil || got.err.Status != status &&
				!(status == 414 && got.err.Status == 400)),
		status == 0 && (!got.done || !reflect.DeepEqual(got.want, w)):
		return status, fmt.Sprintf("input %q, limits %+v\nparser: %v\ntwin:   %d %+v", in, lim, got,
			status, w)
	}
	return status, ""
}

func TestTwinAgreesOnTheExamples(t *testing.T) {
	for _, a := range accepted {
		if _, complaint := agrees(a.in+a.rest, DefaultLimits); complaint != "" {
			t.Errorf("%s: %s", a.name, complaint)
		}
	}
	for _, r := range refused {
		for _, more := range []string{"", "\n", "\r\n", " / HTTP/1.1\r\n\r\n"} {
			if _, complaint := agrees(r.in+more, DefaultLimits); complaint != "" {
				t.Errorf("%s: %s", r.name, complaint)
			}
		}
	}
}

// fragments are what mutate puts into heads: the material of request smuggling.
var fragments = []string{
	"\r", "\n", "\r\n", "\x00", "\t", " ", ":", "/", "?", "#", "%", "%00", "%2", "%zz", "*", "\\",
	"@", "[", "]", "[::1]", ",", ";", "+",
	"\x7f", "\x80", "\xff", "0", "1", "9", "a", "\r\nHost: b", "\r\nHost:", "\r\nhost: a:1 ",
	"\r\nHost : a", "\r\n folded",
	"\r\nContent-Length: 5", "\r\nContent-Length: 5, 5", "\r\ncontent-length:99999999999999999999",
	"\r\nTransfer-Encoding: chunked",
	"\r\nTransfer-Encoding: xchunked", "\r\nTransfer-Encoding:\tCHUNKED\t",
	"\r\nExpect: 100-continue", "\r\nExpect: x", "\r\nUpgrade: h2c",
	"\r\nConnection: close", "\r\nConnection: keep-alive", "\r\nconnection: a ,Close",
	"\r\nOrigin: null", "\r\nLast-Event-ID: 1",
	"\r\nAuthorization: Basic YTpi", "\r\nX: y", "\r\n:", "\r\n\r\n", " HTTP/1.0", " HTTP/1.1",
	" HTTP/2.0", " HTTP/1.2", " HTTP/0.9", " HTTP/1.",
	"http://", "https://a", "HTTP://a:80?b", "OPTIONS * ", "OPTIONS ", "CONNECT ", "GET ",
	"GET /a?b=c&d",
}

func mutate(rng *rand.Rand, in []byte) []byte {
	at := rng.IntN(len(in) + 1)
	end := min(len(in), at+rng.IntN(4))
	switch rng.IntN(6) {
	case 0: // cut out
		return slices.Delete(in, at, end)
	case 1: // change a byte
		if at < len(in) {
			in[at] = byte(rng.IntN(256))
		}
		return in
	case 2: // change the version, the likeliest way to another rule
		return bytes.Replace(in, []byte("HTTP/1.1"), []byte("HTTP/1.0"), 1)
	case 3: // put in at the end of a line
		if i := bytes.IndexByte(in[at:], '\r'); i >= 0 {
			at += i
		}
		return slices.Insert(in, at, []byte(fragments[rng.IntN(len(fragments))])...)
	default: // put in anywhere
		return slices.Insert(in, at, []byte(fragments[rng.IntN(len(fragments))])...)
	}
}

func TestTwinAgreesOnMutatedHeads(t *testing.T) {
	const rounds = 40_000
	seed := [2]uint64{9112, 9110}
	rng := rand.New(rand.NewPCG(seed[0], seed[1]))
	count := map[int]int{}
	for round := range rounds {
		in := []byte(accepted[rng.IntN(len(accepted))].in)
		for range 1 + rng.IntN(3) {
			in = mutate(rng, in)
		}
		lim := DefaultLimits
		if rng.IntN(4) == 0 {
			lim = Limits{HeadBytes: 10 + rng.IntN(200), HeadersMax: 1 + rng.IntN(4),
				TargetBytes: 1 + rng.IntN(20)}
		}
		status, complaint := agrees(string(in), lim, rng.IntN(len(in)+1))
		if complaint != "" {
			t.Fatalf("seed %v, round %d: %s", seed, round, complaint)
		}
		count[status]++
	}
	t.Log("statuses:", count)
	for _, status := range []int{0, twinUndecided, 400, 414, 417, 431, 501, 505} {
		if count[status] < rounds/1000 {
			t.Errorf("only %d of %d inputs came to status %d: the mutations no longer reach it",
				count[status], rounds, status)
		}
	}
}
