// What somebody writes with the types of `openapi-typescript` and `openapi-fetch`: compiled, then run.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string> };

const client = createClient<paths>({
  baseUrl: process.env.HERALDO_API_URL,
  headers: { Authorization: `Bearer ${process.env.HERALDO_API_KEY}` },
});
const event: components["schemas"]["ReminderDueEvent"] = {
  type: "reminder.due",
  id: process.env.EVENT_ID,
  recipient: process.env.EVENT_ID,
  email: "lucia@example.com",
  data: {
    name: "Lucía",
    reminder: {
      title: "Recoger el pedido",
      due: "2026-12-11",
      url: "https://abedul.example/pedidos",
    },
  },
};
const one = await client.POST("/events", { body: event });
const batch = await client.POST("/events/batch", { body: [event, { ...event, id: null, time: "x" }] });
const refused = await client.POST("/events", { body: { ...event, id: "" } });
const life = await client.GET("/events/{id}", { params: { path: { id: process.env.EVENT_ID } } });
const types = await client.GET("/event-types", { params: { query: { type: "reminder.due" } } });
console.log(
  JSON.stringify({
    one: [one.response.status, one.data],
    batch: batch.data?.map((result) =>
      result.status === "rejected" || result.status === "unavailable"
        ? result.problem.errors?.map((error) => error.field)
        : result.status,
    ),
    refused: [refused.response.status, refused.error?.errors?.[0]?.field],
    life: [life.data?.id, life.data?.timeline[0]?.status],
    types: types.data?.event_types.map((entry) => entry.type),
  }),
);
