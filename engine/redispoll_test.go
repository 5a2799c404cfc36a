package engine_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// TestPollsWithRedis: a client polls at one edge after the other, begins with the newest events of
// a topic that an edge has never had, and is answered in time while the server is away.
func TestPollsWithRedis(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	url := "redis://" + r.address()
	a, b := edge(t, url, func(*engine.Config) {}), edge(t, url, func(*engine.Config) {})
	_, at := a.polled(t, []string{"t"}, "", "0")
	for _, data := range []string{"1", "2", "3"} {
		a.publish(t, "t", data)
	}
	var got []string
	for k := 0; len(got) < 3; k++ {
		var data []string
		data, at = []*node{a, b}[k%2].polled(t, []string{"t"}, at, "10s")
		got = append(got, data...)
	}
	if !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("got %q", got)
	}
	c := edge(t, url, func(*engine.Config) {})
	answer, err := c.http.Get("http://" + c.addr + "/events?topic=t&poll=10s&rewind=2")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if text := string(body); strings.Contains(text, "data: 1\n") ||
		!strings.Contains(text, "data: 2\n") || !strings.Contains(text, "data: 3\n") {
		t.Errorf("rewind=2: %q", body)
	}

	r.kill()
	began := time.Now()
	request, _ := http.NewRequest("GET", "http://"+c.addr+"/events?topic=new&poll=1s", nil)
	request.Header.Set("Accept", "application/json")
	answer, err = c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	err = json.NewDecoder(answer.Body).Decode(&all)
	answer.Body.Close()
	at = answer.Header.Get("Last-Event-ID")
	if took := time.Since(began); err != nil || len(all) > 0 || answer.StatusCode != 200 ||
		at == "" || took < 900*time.Millisecond || took > 10*time.Second {
		t.Fatalf("%s %v after %v, at %q: %v", answer.Status, all, took, at, err)
	}
	r.start()
	await(t, "the server to be back", func() (bool, string) {
		_, err := c.post("new", "after")
		return err == nil, "not yet"
	})
	if data, _ := c.polled(t, []string{"new"}, at, "20s"); !slices.Equal(data, []string{"after"}) {
		t.Errorf("found %q", data)
	}
}
