package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ssedge/proto/sse"
)

// polled asks once. The data of gaps is their cause.
func (s *server) polled(t testing.TB, topics []string, id, wait string) (data []string, at string) {
	t.Helper()
	query := url.Values{"topic": topics, "poll": {wait}}
	if id != "" {
		query.Set("last_event_id", id)
	}
	got, err := s.http.Get("http://" + s.addr + "/events?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%s %s %v", got.Status, body, err)
	}
	var d sse.Decoder
	d.Feed(body, func(m sse.Message) {
		if m.Event != "ssedge" {
			data = append(data, m.Data)
		}
	})
	return data, got.Header.Get("Last-Event-ID")
}

// TestATransportChangesInTheMiddle: a client goes on with a poll where its stream ended, and with a
// stream where its poll did.
func TestATransportChangesInTheMiddle(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	for _, topics := range [][]string{{"one"}, {"two", "three"}} {
		_, at := n.polled(t, topics, "", "0")
		var want, got []string
		publish := func() {
			want = append(want, fmt.Sprint(len(want)))
			n.publish(t, topics[len(want)%len(topics)], want[len(want)-1])
		}
		for range 10 {
			publish()
			st := n.opened(t, ask{topics: topics, after: at})
			publish()
			events, err := st.take(2)
			if err != nil {
				t.Fatal(err)
			}
			st.reset()
			for _, m := range events {
				got = append(got, m.Data)
			}
			at = st.decoder.LastEventID()
			publish()
			for more := 1; more > 0; {
				data, behind := n.polled(t, topics, at, "10s")
				got, at = append(got, data...), behind
				more -= len(data)
			}
		}
		slices.SortFunc(got, func(a, b string) int { return len(a) - len(b) })
		slices.SortStableFunc(want, func(a, b string) int { return len(a) - len(b) })
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %q, expected %q", got, want)
		}
	}
	n.await(t, `ssedge_streams_closed_total{reason="answered"}`, 22)
}

// TestPollsWithClientsInUse has curl, Node's fetch and Python's http.client poll, each on one
// connection, until they have all events.
func TestPollsWithClientsInUse(t *testing.T) {
	t.Parallel()
	clients := map[string][]string{
		"curl": {"sh", "-c", `
at=
while [ "$n" != 20 ]; do
	out=$(curl -sS -D head -H 'Accept: application/json' -H "Last-Event-ID: $at" "$0&poll=5") || exit 1
	at=$(tr -d '\r' < head | sed -n 's/^Last-Event-ID: //p')
	printf '%s\n' "$out" | grep -o '"data":"[0-9]*"' | sed 's/[^0-9]//g'
	n=$(( ${n:-0} + $(printf '%s\n' "$out" | grep -o '"data"' | wc -l) ))
done`},
		"node": {"node", "-e", `
(async () => {
	let at = '', n = 0
	while (n < 20) {
		const answer = await fetch(process.argv[1] + '&poll=5s&last_event_id=' + at, {headers: {Accept: 'application/json'}})
		at = answer.headers.get('last-event-id')
		for (const e of await answer.json()) { console.log(e.data); n++ }
	}
})()`},
		"python3": {"python3", "-c", `
import http.client, json, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
connection, at, n = http.client.HTTPConnection(url.netloc), '', 0
while n < 20:
    connection.request('GET', f'{url.path}?{url.query}&poll=5&last_event_id={at}', headers={'Accept': 'application/json'})
    answer = connection.getresponse()
    at = answer.headers['Last-Event-ID']
    for e in json.load(answer):
        print(e['data'])
        n += 1`},
	}
	for name, command := range clients {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skip("not installed: ", name)
			}
			n := startNode(t, nil)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c := exec.CommandContext(ctx, command[0], append(command[1:],
				"http://"+n.addr+"/events?topic=t")...)
			c.Dir = t.TempDir()
			var out, wrong strings.Builder
			c.Stdout, c.Stderr = &out, &wrong
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			n.awaitStreams(t, 1)
			var want []string
			for i := range 20 {
				want = append(want, fmt.Sprint(i))
				n.publish(t, "t", want[i])
				if i%4 == 0 {
					time.Sleep(20 * time.Millisecond)
				}
			}
			err := c.Wait()
			if got := strings.Fields(out.String()); err != nil || !slices.Equal(got, want) {
				files, _ := os.ReadFile(filepath.Join(c.Dir, "head"))
				t.Errorf("%v: got %q, %s %s", err, got, wrong.String(), files)
			}
		})
	}
}

// TestADrainAnswersPolls: a poll that waits is told that the server ends, and its connection ends.
func TestADrainAnswersPolls(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	type said struct {
		close bool
		body  string
		err   error
	}
	answers := make(chan said, 2)
	for _, accept := range []string{"*/*", "application/json"} {
		go func() {
			r, _ := http.NewRequest("GET", "http://"+n.addr+"/events?topic=t&poll=30s", nil)
			r.Header.Set("Accept", accept)
			got, err := n.http.Do(r)
			if err != nil {
				answers <- said{err: err}
				return
			}
			body, err := io.ReadAll(got.Body)
			answers <- said{got.Close && got.StatusCode == 200, string(body), err}
		}()
	}
	n.awaitStreams(t, 2)
	n.engine.Drain()
	for range 2 {
		a := <-answers
		var all []json.RawMessage
		array := json.Unmarshal([]byte(a.body), &all) == nil
		if a.err != nil || !a.close || len(all) > 0 ||
			!array && !strings.Contains(a.body, `{"state":"drain"}`) {
			t.Errorf("found %+v", a)
		}
	}
}
