//! `AWS::ApiGateway::…`: the parts are read one by one, then put together API by API.

mod methods;

use std::collections::BTreeMap;

use local_aws::apigateway::{GatewayResponseSpec, MethodSpec, RestApiSpec, Throttle, UsagePlanSpec};
use serde_json::Value;

use self::methods::{Method, constants, method, status};
use super::{
    Plan, Properties,
    usage_plan::{throttle, usage_plan},
};
use crate::{
    problems::Problems,
    template::{Resolved, Resource, attributes::root_resource_id, join},
};

/// The parts of all APIs of a template.
#[derive(Default)]
pub(super) struct Parts {
    apis: Vec<(Resource, String)>,
    resources: BTreeMap<String, PathResource>,
    methods: Vec<Method>,
    /// Schema by API id and model name.
    models: BTreeMap<(String, String), Value>,
    validators: BTreeMap<String, Validator>,
    deployments: BTreeMap<String, Deployment>,
    stages: Vec<StagePart>,
    responses: Vec<Response>,
    usage_plans: Vec<(Resource, UsagePlanSpec)>,
    plan_keys: Vec<PlanKey>,
}

struct PathResource {
    parent_id: String,
    path_part: String,
}

#[derive(Default, Clone)]
struct Validator {
    body: bool,
    parameters: bool,
}

struct Deployment {
    logical_id: String,
    api_id: String,
}

struct StagePart {
    resource: Resource,
    api_id: String,
    deployment_id: String,
    throttle: Option<Throttle>,
}

struct Response {
    logical_id: String,
    api_id: String,
    kind: String,
    spec: GatewayResponseSpec,
}

struct PlanKey {
    path: String,
    key_id: String,
    plan_id: String,
}

impl Parts {
    /// Reads one part; gives the properties back if the type is none of API Gateway's that we know.
    pub(super) fn read<'a>(
        &mut self,
        resource: &Resource,
        mut properties: Properties<'a>,
    ) -> Result<(), Properties<'a>> {
        let id = resource.reference.clone();
        match resource.type_name.as_str() {
            "AWS::ApiGateway::RestApi" => {
                properties.ignore(&["Description", "EndpointConfiguration", "Tags"]);
                properties.one_of("ApiKeySourceType", &["HEADER"]);
                let name = properties.required_text("Name");
                self.apis.push((resource.clone(), name));
            }
            "AWS::ApiGateway::Resource" => {
                properties.required_text("RestApiId");
                let resource = PathResource {
                    parent_id: properties.required_text("ParentId"),
                    path_part: properties.required_text("PathPart"),
                };
                self.resources.insert(id, resource);
            }
            "AWS::ApiGateway::Method" => self.methods.push(method(resource, properties)),
            "AWS::ApiGateway::Model" => {
                properties.ignore(&["ContentType", "Description", "Name"]);
                let api_id = properties.required_text("RestApiId");
                let schema = schema(&mut properties);
                self.models.insert((api_id, id), schema);
            }
            "AWS::ApiGateway::RequestValidator" => {
                self.validators.insert(id, validator(properties));
            }
            "AWS::ApiGateway::Deployment" => {
                self.deployments.insert(id, deployment(resource, properties));
            }
            "AWS::ApiGateway::Stage" => self.stages.push(stage(resource, properties)),
            "AWS::ApiGateway::GatewayResponse" => {
                self.responses.push(gateway_response(resource, properties));
            }
            "AWS::ApiGateway::UsagePlan" => {
                let plan = usage_plan(resource, properties);
                self.usage_plans.push((resource.clone(), plan));
            }
            "AWS::ApiGateway::UsagePlanKey" => {
                self.plan_keys.push(plan_key(properties));
            }
            _ => return Err(properties),
        }
        Ok(())
    }

    /// Puts APIs and usage plans together. A reference that leads nowhere is reported.
    pub(super) fn assemble(mut self, resolved: &Resolved, plan: &mut Plan, problems: &Problems) {
        for method in &self.methods {
            self.check_method(method, problems);
        }
        let apis = std::mem::take(&mut self.apis);
        for (resource, name) in apis {
            let stages: Vec<_> = (self.stages.iter())
                .filter(|stage| stage.api_id == resource.reference)
                .collect();
            let [stage] = stages.as_slice() else {
                problems.report(
                    resource.path(),
                    format!(
                        "an API has one AWS::ApiGateway::Stage in local-stack, this one has {}",
                        stages.len()
                    ),
                );
                continue;
            };
            self.check_deployment(stage, resolved, problems);
            plan.rest_apis
                .push(self.rest_api(&resource.reference, name, stage));
        }
        self.attach_keys(plan, problems);
        for (resource, usage_plan) in self.usage_plans {
            for (api_id, stage) in &usage_plan.stages {
                let known = self.stages.iter().any(|it| {
                    it.api_id == *api_id
                        && it.resource.reference == *stage
                        && resolved.depends_on(&resource.logical_id, &it.resource.logical_id)
                });
                if !known {
                    problems.report(
                        join(&resource.path(), "Properties.ApiStages"),
                        format!("API Stage not found: {api_id}:{stage} (the plan must depend on the stage)"),
                    );
                }
            }
            plan.usage_plans.push(usage_plan);
        }
    }

    fn rest_api(&self, api_id: &str, name: String, stage: &StagePart) -> RestApiSpec {
        let methods = self.methods.iter().filter(|method| method.api_id == api_id);
        let responses = self.responses.iter().filter(|it| it.api_id == api_id);
        RestApiSpec {
            id: api_id.to_owned(),
            name,
            stage: stage.resource.reference.clone(),
            methods: methods.map(|method| self.method_spec(method)).collect(),
            gateway_responses: responses
                .map(|response| (response.kind.clone(), response.spec.clone()))
                .collect(),
            throttle: stage.throttle,
        }
    }

    fn method_spec(&self, method: &Method) -> MethodSpec {
        let validator = method
            .validator_id
            .as_ref()
            .and_then(|id| self.validators.get(id).cloned())
            .unwrap_or_default();
        let mut spec = method.spec.clone();
        spec.path = self.path(&method.api_id, &method.resource_id).unwrap_or_default();
        spec.validate_body = validator.body;
        if !validator.parameters {
            spec.required_parameters.clear();
        }
        for (content_type, name) in &method.models {
            let key = (method.api_id.clone(), name.clone());
            if let Some(schema) = self.models.get(&key) {
                spec.request_models.insert(content_type.clone(), schema.clone());
            }
        }
        spec
    }

    /// Returns the path of a resource, or `None` if it does not lead to the root of its API.
    fn path(&self, api_id: &str, resource_id: &str) -> Option<String> {
        let mut id = resource_id;
        let mut path = String::new();
        while id != root_resource_id(api_id) {
            let resource = self.resources.get(id)?;
            path = format!("/{}{path}", resource.path_part);
            id = &resource.parent_id;
        }
        Some(if path.is_empty() { "/".to_owned() } else { path })
    }

    fn check_method(&self, method: &Method, problems: &Problems) {
        let report = |property: &str, message: String| {
            let path = join(&method.resource.path(), "Properties");
            problems.report(join(&path, property), message);
        };
        if !self.apis.iter().any(|(api, _)| api.reference == method.api_id) {
            report(
                "RestApiId",
                format!("the API {} is not in this stack", method.api_id),
            );
        } else if self.path(&method.api_id, &method.resource_id).is_none() {
            report(
                "ResourceId",
                format!("the resource {} is not one of its API", method.resource_id),
            );
        }
        if let Some(id) = &method.validator_id
            && !self.validators.contains_key(id)
        {
            report(
                "RequestValidatorId",
                format!("the validator {id} is not in this stack"),
            );
        }
        for name in method.models.values() {
            if !self.models.contains_key(&(method.api_id.clone(), name.clone())) {
                report("RequestModels", format!("the model {name} is not one of its API"));
            }
        }
    }

    /// A deployment is a snapshot: what it does not depend on may be made after it.
    fn check_deployment(&self, stage: &StagePart, resolved: &Resolved, problems: &Problems) {
        let deployment = match self.deployments.get(&stage.deployment_id) {
            Some(deployment) if deployment.api_id == stage.api_id => deployment,
            _ => {
                problems.report(
                    join(&stage.resource.path(), "Properties.DeploymentId"),
                    "is not a deployment of the stage's API",
                );
                return;
            }
        };
        let methods = (self.methods.iter())
            .filter(|method| method.api_id == stage.api_id)
            .map(|method| method.resource.logical_id.as_str());
        let responses = (self.responses.iter())
            .filter(|response| response.api_id == stage.api_id)
            .map(|response| response.logical_id.as_str());
        let missing: Vec<_> = methods
            .chain(responses)
            .filter(|id| !resolved.depends_on(&deployment.logical_id, id))
            .collect();
        if !missing.is_empty() {
            problems.report(
                join(&join("Resources", &deployment.logical_id), "DependsOn"),
                format!(
                    "the deployment does not depend on [{}]: on AWS it may be made before them and lack them",
                    missing.join(", ")
                ),
            );
        }
    }

    fn attach_keys(&mut self, plan: &Plan, problems: &Problems) {
        for PlanKey {
            path,
            key_id,
            plan_id,
        } in std::mem::take(&mut self.plan_keys)
        {
            if !plan.api_keys.iter().any(|key| key.id == key_id) {
                problems.report(join(&path, "KeyId"), "the API key is not in this stack");
            }
            match self.usage_plans.iter_mut().find(|(_, plan)| plan.id == plan_id) {
                Some((_, plan)) => plan.key_ids.push(key_id),
                None => {
                    problems.report(join(&path, "UsagePlanId"), "the usage plan is not in this stack");
                }
            }
        }
    }
}

fn validator(mut properties: Properties<'_>) -> Validator {
    properties.ignore(&["Name"]);
    properties.required_text("RestApiId");
    Validator {
        body: properties.flag("ValidateRequestBody").unwrap_or(false),
        parameters: properties.flag("ValidateRequestParameters").unwrap_or(false),
    }
}

fn deployment(resource: &Resource, mut properties: Properties<'_>) -> Deployment {
    properties.ignore(&["Description"]);
    Deployment {
        logical_id: resource.logical_id.clone(),
        api_id: properties.required_text("RestApiId"),
    }
}

fn plan_key(mut properties: Properties<'_>) -> PlanKey {
    properties.one_of("KeyType", &["API_KEY"]);
    PlanKey {
        path: properties.path.clone(),
        key_id: properties.required_text("KeyId"),
        plan_id: properties.required_text("UsagePlanId"),
    }
}

fn schema(properties: &mut Properties<'_>) -> Value {
    match properties.required_json("Schema") {
        Value::String(text) => serde_json::from_str(&text).unwrap_or_else(|error| {
            properties.report("Schema", &format!("is not JSON: {error}"));
            Value::Null
        }),
        schema => schema,
    }
}

fn stage(resource: &Resource, mut properties: Properties<'_>) -> StagePart {
    properties.ignore(&[
        "AccessLogSetting",
        "Description",
        "StageName",
        "Tags",
        "TracingEnabled",
    ]);
    let mut stage_throttle = None;
    for mut settings in properties.list("MethodSettings") {
        settings.ignore(&["DataTraceEnabled", "LoggingLevel", "MetricsEnabled"]);
        // Settings are for the whole stage here; those of a single method are refused.
        settings.one_of("HttpMethod", &["*"]);
        settings.one_of("ResourcePath", &["/*"]);
        stage_throttle = throttle(&mut settings, "ThrottlingRateLimit", "ThrottlingBurstLimit");
    }
    if resource.reference.is_empty() {
        properties.report("StageName", "the property is required");
    }
    StagePart {
        resource: resource.clone(),
        api_id: properties.required_text("RestApiId"),
        deployment_id: properties.required_text("DeploymentId"),
        throttle: stage_throttle,
    }
}

fn gateway_response(resource: &Resource, mut properties: Properties<'_>) -> Response {
    let mut templates = properties.texts_by_key("ResponseTemplates");
    let template = templates.remove("application/json");
    if let Some(content_type) = templates.keys().next() {
        properties.report(
            "ResponseTemplates",
            &format!("`{content_type}` is not supported by local-stack, only application/json"),
        );
    }
    Response {
        logical_id: resource.logical_id.clone(),
        api_id: properties.required_text("RestApiId"),
        kind: properties.required_text("ResponseType"),
        spec: GatewayResponseSpec {
            status: status(&mut properties),
            headers: constants(&mut properties, "gatewayresponse.header."),
            template,
        },
    }
}
