/** All cases. */
import type { Case } from '../case.js';
import { rfc4271Messages, rfc6608 } from './rfc4271-messages.js';
import { rfc4271Routes } from './rfc4271-routes.js';
import { rfc4271Timers } from './rfc4271-timers.js';
import { laterAttributes, rfc7606, rfc7607 } from './rfc7606.js';

export const allCases: readonly Case[] = [...rfc4271Messages, ...rfc4271Timers, ...rfc4271Routes, ...rfc6608, ...rfc7606, ...rfc7607, ...laterAttributes];
