package refuse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ssedge/proto/http1"
)

func TestAnswerIsWrittenToTheByte(t *testing.T) {
	got := string((&Answer{Status: 429, Reason: `try "later"`, RetryAfter: 7}).
		Append([]byte("before"), nil))
	want := "before" +
		strings.ReplaceAll("HTTP/1.1 429 Too Many Requests\nContent-Type: application/json\nContent-Length: 39\n"+
			"Cache-Control: no-store\nX-Content-Type-Options: nosniff\nConnection: close\nRetry-After: 7\n\n",
			"\n", "\r\n") + `{"error":"try \"later\"","status":429}` + "\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := string((&Answer{Status: 400, Reason: "\x1b\xffä"}).
		Append(nil, nil)); !strings.Contains(got, `{"error":"\u001b�ä",`) {
		t.Errorf("not escaped as documented: %q", got)
	}
	if got := string((&Answer{Status: 400}).Append(nil, nil)); strings.Contains(got,
		"Retry-After") {
		t.Errorf("Retry-After without seconds: %q", got)
	}
}

func TestAnswerIsReadBackByNetHTTP(t *testing.T) {
	type body struct {
		Error  string
		Status int
	}
	reasons := []string{"", "plain", `"\/<>&`, "a\r\nSet-Cookie: b\t\b\x00\x1f\x7f", "ä€😀\u2028",
		"\xff\xc3", "\ufffd", strings.Repeat("long ", 1000)}
	for _, e := range http1.Errors() {
		reasons = append(reasons, e.Reason)
	}
	for _, status := range []int{400, 401, 404, 503, 505, 599} {
		for _, reason := range reasons {
			raw := (&Answer{Status: status, Reason: reason, RetryAfter: 3}).Append(nil, nil)
			r := bufio.NewReader(bytes.NewReader(raw))
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%q: %v", reason, err)
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil || int64(len(text)) != resp.ContentLength || r.Buffered() != 0 {
				t.Fatalf("%q: %v, body %q, announced %d", reason, err, text, resp.ContentLength)
			}
			if resp.StatusCode != status || resp.Status != strconv.Itoa(status)+" "+
				http1.StatusText(status) || !resp.Close ||
				resp.Header.Get("Retry-After") != "3" ||
				resp.Header.Get("Content-Type") != "application/json" ||
				resp.Header.Get("Cache-Control") != "no-store" || len(resp.Header) > 6 {
				t.Fatalf("%q: %s %v", reason, resp.Status, resp.Header)
			}
			line, one := bytes.CutSuffix(text, []byte("\n"))
			if !one || bytes.ContainsAny(line, "\r\n") {
				t.Fatalf("%q: body %q is not one line", reason, text)
			}
			var got body
			if err := json.Unmarshal(line, &got); err != nil ||
				got != (body{strings.ToValidUTF8(reason, "\ufffd"), status}) {
				// ToValidUTF8 makes one U+FFFD of a run, JSON readers and this package one of each
				// byte
				if reason != "\xff\xc3" || got.Error != "\ufffd\ufffd" {
					t.Fatalf("%q: body %q, %v", reason, text, err)
				}
			}
		}
	}
}

// Both ways say the same: the bytes on a connection, and net/http.
func TestBothWaysAreTheSame(t *testing.T) {
	for _, status := range []int{400, 401, 413, 503} {
		for _, r := range []*Answer{Declare(status, "a", 0).Say("why"),
			Declare(status, "a", 3).Say("%s %q", "why", "<&>\xff")} {
			resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(r.Append(nil, nil))),
				nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			r.Write(w, Where{})
			resp.Header.Del("Connection") // net/http's own
			if w.Code != resp.StatusCode || !reflect.DeepEqual(w.Header(), resp.Header) ||
				w.Body.String() != string(body) {
				t.Errorf("%d: on a connection %v %q, by net/http %v %q", status, resp.Header, body,
					w.Header(), w.Body)
			}
			if (status == 401) != (resp.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("%d: %v", status, resp.Header)
			}
		}
	}
}

func TestWhereStandsInTheBody(t *testing.T) {
	for want, at := range map[string]Where{
		`{"error":"e","status":400}`:                        {},
		`{"error":"e","status":400,"line":2,"published":1}`: {Line: 2, Counts: true, Published: 1},
		`{"error":"e","status":400,"item":1,"published":0}`: {Item: 1, Counts: true},
	} {
		if got := string((&Answer{Status: 400, Reason: "e"}).AppendBody(nil, at)); got != want+
			"\n" {
			t.Errorf("found %q, expected %q", got, want)
		}
	}
}

func TestCausesAreListedOnce(t *testing.T) {
	before := len(Causes())
	Declare(400, "of this test", 0)
	Declare(415, "of this test", 0)
	if all := Causes(); len(all) != before+1 || all[before] != "of this test" ||
		!slices.Contains(all, http1.Errors()[0].Label) {
		t.Errorf("%q", all)
	}
}
