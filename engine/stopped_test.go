package engine_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// TestAStopCountsAgainstNobody: when the process is stopped for longer than every deadline of a
// request, no request that is under way is given up, whether the rest of it came meanwhile or comes
// afterwards.
func TestAStopCountsAgainstNobody(t *testing.T) {
	unraced(t) // it is TestAStopIsNotCounted's, in a process
	t.Parallel()
	const deadline = 8 * time.Second
	p := startProcess(t, "--head-timeout="+deadline.String(), "--body-timeout="+deadline.String(),
		"--http-idle="+deadline.String())
	post := "POST /publish%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
	json := `{"topic":"t","data":"x"}`
	sized := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(json))
	get := "GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n"
	type request struct {
		address     string
		first, rest string
		answers     int // that it gets; the first of two before the stop
		status      int // of the last
	}
	requests := map[string]request{
		"half a head": {p.addr, "GET /nope HTTP/1.1\r\nHost: loc", "alhost\r\n\r\n", 1,
			404},
		"JSON without a body": {p.addr, fmt.Sprintf(post, "", "application/json") + sized, json,
			1, 200},
		"half JSON": {p.addr, fmt.Sprintf(post, "", "application/json") + sized +
			json[:9], json[9:], 1, 200},
		"lines": {p.addr, fmt.Sprintf(post, "", "application/x-ndjson") + sized +
			json[:9], json[9:], 1, 200},
		"raw": {p.addr, fmt.Sprintf(post, "?topic=t", "text/plain") + sized +
			json[:9], json[9:], 1, 200},
		"chunks": {p.addr, fmt.Sprintf(post, "", "application/json") +
			"Transfer-Encoding: chunked\r\n\r\n18\r\n" + json[:9], json[9:] + "\r\n0\r\n\r\n", 1,
			200},
		"a kept connection":      {p.addr, get, get, 2, 404},
		"half a later head":      {p.addr, get + get[:9], get[9:], 2, 404},
		"the admin's":            {p.admin, get[:9], get[9:], 1, 404},
		"the admin's, kept":      {p.admin, get, get, 2, 404},
		"the admin's later head": {p.admin, get + get[:9], get[9:], 2, 404},
	}
	type half struct {
		name string
		net.Conn
		r *bufio.Reader
	}
	status := func(h half) int {
		h.SetDeadline(time.Now().Add(patience))
		resp, err := http.ReadResponse(h.r, nil)
		if err != nil {
			t.Errorf("%s: %v", h.name, err)
			return 0
		}
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	var meanwhile, afterwards []half
	for name, r := range requests {
		for _, when := range []*[]half{&meanwhile, &afterwards} {
			conn, err := net.Dial("tcp", r.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			h := half{name, conn, bufio.NewReader(conn)}
			io.WriteString(conn, r.first)
			if r.answers == 2 {
				status(h)
			}
			*when = append(*when, h)
		}
	}
	time.Sleep(50 * time.Millisecond) // the handlers have what there is of the bodies
	p.signal(t, syscall.SIGSTOP)
	for _, h := range meanwhile {
		io.WriteString(h, requests[h.name].rest)
	}
	time.Sleep(deadline + time.Second)
	p.signal(t, syscall.SIGCONT)
	time.Sleep(50 * time.Millisecond) // a deadline that has passed would have its effect
	for _, h := range afterwards {
		io.WriteString(h, requests[h.name].rest)
	}
	for when, all := range map[string][]half{"meanwhile": meanwhile, "afterwards": afterwards} {
		for _, h := range all {
			if got, want := status(h), requests[h.name].status; got != want {
				t.Errorf("%s, its rest came %s: answered %d, expected %d", h.name, when, got, want)
			}
		}
	}
}
