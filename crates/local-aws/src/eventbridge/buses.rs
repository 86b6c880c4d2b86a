//! The operations on buses.

use std::sync::PoisonError;

use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    BUSES, Bus, DEFAULT_BUS, EventBridge, EventBusSpec,
    api::{ListRequest, named},
    bus_name, event_bus_arn,
};
use crate::{aws_error::AwsError, iam::Principal, json_protocol::validation};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BusRequest {
    name: Option<String>,
    description: Option<String>,
    event_source_name: Option<Value>,
}

impl EventBridge {
    pub(super) fn create_event_bus(
        &self,
        caller: &Principal,
        request: BusRequest,
    ) -> Result<Value, AwsError> {
        let _turn = self.turn();
        let name = named(request.name, "Name")?;
        self.authorize_on_bus(caller, "events:CreateEventBus", &name)?;
        if request.event_source_name.is_some() {
            return Err(AwsError::not_implemented("events", "CreateEventBus of a partner"));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "/.-_".contains(c);
        if name.len() > 256 || !name.chars().all(is_name) || name.contains('/') {
            return Err(validation("EventBus name is not valid."));
        }
        if self.bus(&name).is_ok() {
            let message = format!("Event bus {name} already exists.");
            return Err(AwsError::new(400, "ResourceAlreadyExistsException", message));
        }
        let bus = Bus {
            spec: EventBusSpec {
                name: name.clone(),
                description: request.description,
            },
            created_ms: Utc::now().timestamp_millis(),
        };
        let json = serde_json::to_vec(&bus).expect("a bus has only string keys");
        self.keep(|transaction| {
            transaction
                .open_table(BUSES)?
                .insert(name.as_str(), json.as_slice())?;
            Ok(())
        })?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.buses.insert(name.clone(), bus);
        Ok(json!({ "EventBusArn": event_bus_arn(&self.region, &name) }))
    }

    pub(super) fn describe_event_bus(
        &self,
        caller: &Principal,
        request: BusRequest,
    ) -> Result<Value, AwsError> {
        let name = bus_name(request.name.as_deref());
        self.authorize_on_bus(caller, "events:DescribeEventBus", name)?;
        self.bus(name).map(|bus| self.shown_bus(&bus))
    }

    pub(super) fn delete_event_bus(
        &self,
        caller: &Principal,
        request: BusRequest,
    ) -> Result<Value, AwsError> {
        let _turn = self.turn();
        let name = named(request.name, "Name")?;
        self.authorize_on_bus(caller, "events:DeleteEventBus", &name)?;
        if name == DEFAULT_BUS {
            return Err(validation("Cannot delete event bus default."));
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.rules.keys().any(|(bus, _)| *bus == name) {
            return Err(validation("Event bus can't be deleted since it has rules."));
        }
        self.keep(|transaction| {
            transaction
                .open_table(BUSES)?
                .remove(name.as_str())
                .map(drop)
                .map_err(Into::into)
        })?;
        state.buses.remove(&name);
        Ok(json!({}))
    }

    pub(super) fn list_event_buses(
        &self,
        caller: &Principal,
        request: &ListRequest,
    ) -> Result<Value, AwsError> {
        self.authorize(caller, "events:ListEventBuses", "*")?;
        let prefix = request.name_prefix.as_deref().unwrap_or_default();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let buses = state
            .buses
            .values()
            .filter(|bus| bus.spec.name.starts_with(prefix));
        let buses = buses.map(|bus| (bus.spec.name.as_str(), self.shown_bus(bus)));
        request.paging.page("EventBuses", buses)
    }

    fn authorize_on_bus(&self, caller: &Principal, action: &str, name: &str) -> Result<(), AwsError> {
        self.authorize(caller, action, &event_bus_arn(&self.region, name))
    }

    fn shown_bus(&self, bus: &Bus) -> Value {
        let name = &bus.spec.name;
        let created = bus.created_ms as f64 / 1000.0;
        let mut shown = json!({
            "Name": name,
            "Arn": event_bus_arn(&self.region, name),
            "CreationTime": created,
            "LastModifiedTime": created,
        });
        if let Some(description) = &bus.spec.description {
            shown["Description"] = json!(description);
        }
        shown
    }
}
