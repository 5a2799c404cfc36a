import { createEventSource } from 'eventsource-client'
import { bearer } from './standard.mjs'

export default async ({ url, key }, say) => {
  const source = createEventSource({
    url,
    headers: bearer(key),
    onConnect: () => say('open'),
    onDisconnect: () => say('error', { why: 'disconnected' })
  })
  for await (const { event, data, id } of source) {
    say('message', { type: event ?? 'message', data, id: id ?? '' })
  }
  say('ended', { why: 'the loop is over' })
}
