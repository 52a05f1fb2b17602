/**
 * What monitoring asks: health, metrics, the description of the calls, and in the management zone the status. They tell
 * nothing about payload, and outside the management zone nothing about devices.
 */
import type { Health } from '../monitor/health.ts';
import type { Metrics } from '../monitor/metrics.ts';
import type { Status } from '../monitor/status.ts';
import { STATUS_PAGE_HEADERS, statusPage } from '../monitor/status-page.ts';
import { describe, json, type OpenRoute } from './route.ts';

/** `health` and `status` are asked at each request. */
export function monitorRoutes(health: () => Health, status: () => Status, metrics: Metrics): OpenRoute[] {
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
      handle: async ({ reply, zone }) =>
        reply.header('content-type', metrics.contentType).send(await metrics.text(zone.name)),
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
    {
      call: 'status-page',
      method: 'GET',
      url: '/',
      allowed: 'anyone',
      schema: describe('The status of the relay and its devices, for a browser.', {
        open: true,
        response: { 200: { description: 'A page without script.', content: { 'text/html': { schema: TEXT } } } },
      }),
      handle: ({ reply }) => reply.headers(STATUS_PAGE_HEADERS).send(statusPage(status())),
    },
    {
      call: 'status-json',
      method: 'GET',
      url: '/status.json',
      allowed: 'anyone',
      schema: describe('What the status page shows, for programs.', {
        open: true,
        response: { 200: json('Ready or not: see status.', STATUS) },
      }),
      handle: ({ reply }) => reply.send(status()),
    },
  ];
}

const TEXT = { type: 'string' };
const AGE = { type: ['integer', 'null'] };

const HEALTH = {
  status: { type: 'string', enum: ['ready', 'not-ready'] },
  reasons: { type: 'array', items: TEXT },
  notices: { type: 'array', items: TEXT },
  name: TEXT,
  software: TEXT,
  uptimeSeconds: { type: 'integer' },
  epoch: TEXT,
  rosterVersion: { type: 'integer' },
  blockBytes: { type: 'integer' },
  slots: { type: 'object' },
  registeredDevices: { type: 'integer' },
  auditMode: TEXT,
};

const DEVICE = {
  name: TEXT,
  did: TEXT,
  zone: TEXT,
  roles: { type: 'array', items: TEXT },
  registered: { type: 'boolean' },
  registeredSeconds: AGE,
  lastBlockSeconds: AGE,
  lastClaimSeconds: AGE,
  blocksHeld: { type: 'integer' },
  blocksWaiting: { type: 'integer' },
};

const STATUS = {
  useNotice: TEXT,
  ...HEALTH,
  intervalSeconds: { type: 'number' },
  facts: { type: 'array', items: { type: 'object', properties: { name: TEXT, value: TEXT } } },
  devices: { type: 'array', items: { type: 'object', properties: DEVICE } },
};
