package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

type publishCmd struct {
	Topic string  `arg:"" help:"Topic to publish to."`
	Data  *string `arg:"" optional:"" help:"Data of the event; - or nothing reads standard input."`

	Event  string        `help:"Event name; without one receivers see 'message'." placeholder:"NAME"`
	Retry  time.Duration `help:"Also set the receivers' reconnection time, as in 5s." placeholder:"TIME" env:"SSEDGE_PUBLISH_RETRY"`
	Once   string        `help:"Idempotency key: publishing again with it does nothing." placeholder:"KEY"`
	Client clientFlags   `embed:""`

	Redis   string       `help:"Publish to these Redis servers, without an edge." placeholder:"URL" env:"SSEDGE_PUBLISH_REDIS"`
	History historyFlags `embed:""`
}

// Run publishes one event and prints its id.
func (c *publishCmd) Run() error {
	var data string
	if c.Data != nil && *c.Data != "-" {
		data = *c.Data
	} else {
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		data = strings.TrimSuffix(string(text), "\n")
	}
	if c.Redis != "" {
		id, err := c.viaRedis(data)
		if err == nil {
			fmt.Println(id)
		}
		return err
	}
	message := map[string]any{"topic": c.Topic, "data": data}
	if c.Event != "" {
		message["event"] = c.Event
	}
	if c.Retry > 0 {
		message["retry"] = c.Retry.Milliseconds()
	}
	if c.Once != "" {
		message["key"] = c.Once
	}
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	id, err := c.post(body)
	if err != nil {
		return err
	}
	fmt.Println(id)
	return nil
}

func (c *publishCmd) post(body []byte) (id string, _ error) {
	client, base, err := c.Client.connect()
	if err != nil {
		return "", err
	}
	client.Timeout = 30 * time.Second
	r, err := http.NewRequest(http.MethodPost, base+"/publish", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	c.Client.authorize(r)
	got, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, 1<<20))
	if err != nil {
		return "", err
	}
	var said struct{ ID string }
	if err := json.Unmarshal(text, &said); err != nil || got.StatusCode != http.StatusOK {
		return "", refusal(got.Status, text)
	}
	return said.ID, nil
}
