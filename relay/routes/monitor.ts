/** What monitoring asks: health, metrics, the description of the calls. They tell nothing about devices or payload. */
import type { Health } from '../health.ts';
import type { Metrics } from '../metrics.ts';
import { describe, json, type OpenRoute } from './route.ts';

/** `health` is asked at each request. */
export function monitorRoutes(health: () => Health, metrics: Metrics): OpenRoute[] {
  return [
    {
      call: 'health',
      method: 'GET',
      url: '/health',
      allowed: 'anyone',
      schema: describe('Whether the relay can carry blocks, and if not, why.', {
        open: true,
        response: { 200: json('Ready.', HEALTH), 503: json('Not ready.', HEALTH) },
      }),
      handle({ reply }) {
        const now = health();
        return reply.code(now.status === 'ready' ? 200 : 503).send(now);
      },
    },
    {
      call: 'metrics',
      method: 'GET',
      url: '/metrics',
      allowed: 'anyone',
      schema: describe('Counters and gauges (OpenMetrics 1.0).', {
        open: true,
        response: {
          200: {
            description: 'The exposition.',
            content: { 'application/openmetrics-text': { schema: { type: 'string' } } },
          },
        },
      }),
      handle: async ({ reply }) => reply.header('content-type', metrics.contentType).send(await metrics.text()),
    },
    {
      call: 'openapi',
      method: 'GET',
      url: '/openapi.json',
      allowed: 'anyone',
      schema: describe('The calls of this listener (OpenAPI 3.1).', {
        open: true,
        response: { 200: json('This document.') },
      }),
      handle: ({ request, reply }) => reply.send(request.server.swagger()),
    },
  ];
}

const HEALTH = {
  status: { type: 'string', enum: ['ready', 'not-ready'] },
  reasons: { type: 'array', items: { type: 'string' } },
  notices: { type: 'array', items: { type: 'string' } },
  name: { type: 'string' },
  software: { type: 'string' },
  uptimeSeconds: { type: 'integer' },
  epoch: { type: 'string' },
  rosterVersion: { type: 'integer' },
  blockBytes: { type: 'integer' },
  slots: { type: 'object' },
  registeredDevices: { type: 'integer' },
};
