import ReconnectingEventSource from 'reconnecting-eventsource'

// It notes ids only of events for which addEventListener was called, "message" too:
// with onmessage alone it forgets where it was.
export default ({ url, names }, say) => {
  const source = new ReconnectingEventSource(url, { max_retry_time: 1000 })
  for (const name of names) {
    source.addEventListener(name, e => say('message', { type: e.type, data: e.data, id: e.lastEventId }))
  }
  source.onopen = () => say('open')
  source.onerror = () => say('error')
}
