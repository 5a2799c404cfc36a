package http1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func TestAnswerIsWrittenToTheByte(t *testing.T) {
	got := string(AppendAnswer([]byte("before"), 429, `try "later"`, 7))
	want := "before" + lines("HTTP/1.1 429 Too Many Requests\nContent-Type: application/json\nContent-Length: 39\n"+
		"Cache-Control: no-store\nConnection: close\nRetry-After: 7\n\n") + `{"error":"try \"later\"","status":429}` + "\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := string(AppendAnswer(nil, 400, "\x1b\x7f\xffä", 0)); !strings.Contains(got, `{"error":"\u001b\u007f\ufffdä",`) {
		t.Errorf("not escaped as documented: %q", got)
	}
	if got := string(AppendAnswer(nil, 400, "", 0)); strings.Contains(got, "Retry-After") {
		t.Errorf("Retry-After without seconds: %q", got)
	}
}

func TestAnswerIsReadBackByNetHTTP(t *testing.T) {
	type body struct {
		Error  string
		Status int
	}
	reasons := []string{"", "plain", `"\/<>&`, "a\r\nSet-Cookie: b\t\b\x00\x1f\x7f", "ä€😀\u2028", "\xff\xc3", "\ufffd", strings.Repeat("long ", 1000)}
	for _, e := range Errors() {
		reasons = append(reasons, e.Reason)
	}
	for _, status := range []int{400, 401, 404, 503, 505, 599} {
		for _, reason := range reasons {
			raw := AppendAnswer(nil, status, reason, 3)
			r := bufio.NewReader(bytes.NewReader(raw))
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%q: %v", reason, err)
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil || int64(len(text)) != resp.ContentLength || r.Buffered() != 0 {
				t.Fatalf("%q: %v, body %q, announced %d", reason, err, text, resp.ContentLength)
			}
			if resp.StatusCode != status || resp.Status != strconv.Itoa(status)+" "+StatusText(status) || !resp.Close ||
				resp.Header.Get("Retry-After") != "3" || resp.Header.Get("Content-Type") != "application/json" ||
				resp.Header.Get("Cache-Control") != "no-store" || len(resp.Header) != 5 && len(resp.Header) != 4 {
				t.Fatalf("%q: %s %v", reason, resp.Status, resp.Header)
			}
			line, one := bytes.CutSuffix(text, []byte("\n"))
			if !one || bytes.ContainsAny(line, "\r\n") {
				t.Fatalf("%q: body %q is not one line", reason, text)
			}
			var got body
			if err := json.Unmarshal(line, &got); err != nil || got != (body{strings.ToValidUTF8(reason, "\ufffd"), status}) {
				// ToValidUTF8 makes one U+FFFD of a run, JSON readers and this package one of each byte
				if reason != "\xff\xc3" || got.Error != "\ufffd\ufffd" {
					t.Fatalf("%q: body %q, %v", reason, text, err)
				}
			}
		}
	}
}

func TestStatusTextIsThatOfTheRFC(t *testing.T) {
	renamed := map[int]string{413: "Content Too Large", 414: "URI Too Long"} // RFC 9110; net/http keeps RFC 7231's
	known := 0
	for status := range 700 {
		got := StatusText(status)
		want := http.StatusText(status)
		if name, ok := renamed[status]; ok {
			want = name
		}
		if got != "" {
			known++
			if got != want {
				t.Errorf("%d is %q, want %q", status, got, want)
			}
		}
	}
	if known < 20 {
		t.Errorf("only %d statuses are known", known)
	}
}
