import { createParser } from 'eventsource-parser'
import { bearer } from './standard.mjs'

// A plain loop around the parser, which is all there is to a client.
export default async ({ url, key }, say) => {
  let lastEventId = ''
  let retry = 1000
  const parser = createParser({
    onId: id => { lastEventId = id },
    onRetry: ms => { retry = ms },
    onEvent: ({ event, data, id }) => say('message', { type: event ?? 'message', data, id: id ?? '' })
  })
  for (;;) {
    try {
      const headers = { Accept: 'text/event-stream', ...bearer(key) }
      if (lastEventId) headers['Last-Event-ID'] = lastEventId
      const response = await fetch(url, { headers })
      if (!response.ok) throw new Error(String(response.status))
      say('open')
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) parser.feed(text)
    } catch (e) {
      say('error', { why: String(e) })
    }
    parser.reset()
    await new Promise(resolve => setTimeout(resolve, retry))
  }
}
