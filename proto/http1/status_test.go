package http1

import (
	"net/http"
	"testing"
)

func TestStatusTextIsThatOfTheRFC(t *testing.T) {
	// RFC 9110; net/http keeps RFC 7231's
	renamed := map[int]string{413: "Content Too Large", 414: "URI Too Long"}
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
