//! The functions of a template, such as `Fn::Sub`, and how their arguments are read.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use local_aws::ACCOUNT_ID;
use serde_json::{Map, Value};

use super::{
    attributes,
    document::join,
    resolver::{Outcome, Reported, Resolver},
    text,
};
use crate::stack::{REGION, STACK_NAME};

impl<'a> Resolver<'a> {
    /// Evaluates a function.
    pub(super) fn function(&mut self, name: &str, argument: &'a Value, path: &str) -> Outcome {
        match name {
            "Ref" => match argument.as_str() {
                Some(name) => self.reference(name, path),
                None => self.report(path, "must be a name"),
            },
            "Fn::If" => self.chosen(argument, path),
            "Fn::GetAtt" => self.attribute_of(argument, path),
            "Fn::Sub" => Ok(Some(self.substitute(argument, path)?.into())),
            "Fn::Join" => self.joined(argument, path),
            "Fn::Split" => self.split(argument, path),
            "Fn::Select" => self.selected(argument, path),
            "Fn::FindInMap" => self.mapped(argument, path),
            "Fn::Base64" => {
                let text = self.required_text(argument, path)?;
                Ok(Some(BASE64.encode(text).into()))
            }
            "Fn::ImportValue" => {
                let export = self.required_text(argument, path)?;
                self.report(path, format!("No export named {export} found"))
            }
            _ => self.report(path, format!("{name} is not supported by local-stack")),
        }
    }

    fn chosen(&mut self, argument: &'a Value, path: &str) -> Outcome {
        let [condition, yes, no] = self.arguments(argument, path)?;
        let holds = match condition.as_str() {
            Some(condition) => self.condition(condition, path)?,
            None => return self.report(path, "the first argument must name a condition"),
        };
        let (index, taken) = if holds { ("1", yes) } else { ("2", no) };
        self.value(taken, &join(path, index))
    }

    fn attribute_of(&mut self, argument: &'a Value, path: &str) -> Outcome {
        let [resource, attribute] = self.arguments(argument, path)?;
        let attribute = self.required_text(attribute, path)?;
        let Some(resource) = resource.as_str() else {
            return self.report(path, "the first argument must be a logical id");
        };
        Ok(Some(self.attribute(resource, &attribute, path)?.into()))
    }

    fn joined(&mut self, argument: &'a Value, path: &str) -> Outcome {
        let [delimiter, items] = self.arguments(argument, path)?;
        let delimiter = self.required_text(delimiter, &join(path, "0"))?;
        let items = self.texts(items, &join(path, "1"))?;
        Ok(Some(self.localized(items.join(&delimiter)).into()))
    }

    fn split(&mut self, argument: &'a Value, path: &str) -> Outcome {
        let [delimiter, source] = self.arguments(argument, path)?;
        let delimiter = self.required_text(delimiter, &join(path, "0"))?;
        let source = self.required_text(source, &join(path, "1"))?;
        if delimiter.is_empty() {
            return self.report(path, "the delimiter is empty");
        }
        Ok(Some(source.split(delimiter.as_str()).collect()))
    }

    fn selected(&mut self, argument: &'a Value, path: &str) -> Outcome {
        let [index, items] = self.arguments(argument, path)?;
        let index = self.required_text(index, &join(path, "0"))?;
        let items = self.texts(items, &join(path, "1"))?;
        match index.parse::<usize>().ok().and_then(|index| items.get(index)) {
            Some(item) => Ok(Some(item.as_str().into())),
            None => {
                let message =
                    format!("Template error: Fn::Select cannot select nonexistent value at index {index}");
                self.report(path, message)
            }
        }
    }

    fn mapped(&mut self, argument: &'a Value, path: &str) -> Outcome {
        let [map, first, second] = self.arguments(argument, path)?;
        let [map, first, second] = [
            self.required_text(map, path)?,
            self.required_text(first, path)?,
            self.required_text(second, path)?,
        ];
        let found = self
            .mappings
            .get(&map)
            .and_then(|map| map.get(&first)?.get(&second));
        match found {
            Some(value) => Ok(Some(value.clone())),
            None => {
                let message = format!("Template error: Unable to get mapping for {map}::{first}::{second}");
                self.report(path, message)
            }
        }
    }

    fn reference(&mut self, name: &str, path: &str) -> Outcome {
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        let value = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::AccountId" => ACCOUNT_ID.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::Region" => REGION.to_owned(),
            "AWS::StackId" => self.stack.id(),
            "AWS::StackName" => STACK_NAME.to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => self.referenced(name, path)?.reference,
        };
        Ok(Some(Value::from(value)))
    }

    fn attribute(&mut self, logical_id: &str, name: &str, path: &str) -> Result<String, Reported> {
        let resource = self.referenced(logical_id, path)?;
        attributes::attribute(&resource, name, self.stack).map_or_else(
            || {
                let type_name = &resource.type_name;
                let message = format!("the attribute {name} of {type_name} is not supported by local-stack");
                self.report(path, message)
            },
            Ok,
        )
    }

    fn substitute(&mut self, argument: &'a Value, path: &str) -> Result<String, Reported> {
        let (template, variables) = match argument {
            Value::Array(_) => {
                let [template, variables] = self.arguments(argument, path)?;
                (template, Some(self.object(variables, &join(path, "1"))?))
            }
            _ => (argument, None),
        };
        let Some(template) = template.as_str() else {
            return self.report(
                path,
                "Template error: one or more Fn::Sub intrinsic functions don't specify expected arguments",
            );
        };
        let mut local = BTreeMap::new();
        for (name, value) in variables.into_iter().flatten() {
            let value = self.required_text(value, &join(path, name))?;
            local.insert(name.as_str(), value);
        }
        let mut parts = template.split("${");
        let mut result = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let Some((name, rest)) = part.split_once('}') else {
                return self.report(path, BAD_VARIABLE);
            };
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str(&format!("${{{literal}}}"));
            } else if let Some(value) = local.get(name) {
                result.push_str(value);
            } else {
                result.push_str(&self.variable(name, path)?);
            }
            result.push_str(rest);
        }
        Ok(self.localized(result))
    }

    /// Returns the value of `${name}` or `${name.attribute}`.
    fn variable(&mut self, name: &str, path: &str) -> Result<String, Reported> {
        let allowed = |char: char| char.is_ascii_alphanumeric() || "_.:".contains(char);
        if name.is_empty() || !name.chars().all(allowed) {
            return self.report(path, BAD_VARIABLE);
        }
        if let Some((resource, attribute)) = name.split_once('.') {
            return self.attribute(resource, attribute, path);
        }
        match self.reference(name, path)?.as_ref().and_then(text) {
            Some(value) => Ok(value),
            None => self.report(path, format!("the value of {name} is not a text")),
        }
    }

    /// Replaces the address that an API of this stack has on AWS by its local one.
    fn localized(&self, text: String) -> String {
        let is_api = |declaration: &Value| {
            declaration.get("Type").and_then(Value::as_str) == Some("AWS::ApiGateway::RestApi")
        };
        let apis = self.declarations.iter().filter(|(_, it)| is_api(it));
        apis.fold(text, |text, (logical_id, _)| {
            let id = self.stack.short_id(logical_id, 10);
            text.replace(
                &format!("https://{id}.execute-api.{REGION}.amazonaws.com"),
                &format!("{}/_aws/execute-api/{id}", self.stack.endpoint_url()),
            )
        })
    }

    pub(super) fn arguments<const N: usize>(
        &self,
        argument: &'a Value,
        path: &str,
    ) -> Result<&'a [Value; N], Reported> {
        match argument
            .as_array()
            .map(Vec::as_slice)
            .and_then(<[Value]>::as_array)
        {
            Some(arguments) => Ok(arguments),
            None => self.report(path, format!("takes a list of {N} arguments")),
        }
    }

    pub(super) fn object(&self, value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, Reported> {
        match value {
            Value::Object(object) => Ok(object),
            _ => self.report(path, "must be an object"),
        }
    }

    pub(super) fn required_text(&mut self, value: &'a Value, path: &str) -> Result<String, Reported> {
        match self.value(value, path)?.as_ref().and_then(text) {
            Some(text) => Ok(text),
            None => self.report(path, "must be a text"),
        }
    }

    pub(super) fn texts(&mut self, value: &'a Value, path: &str) -> Result<Vec<String>, Reported> {
        let texts = match self.value(value, path)? {
            Some(Value::Array(items)) => items.iter().map(text).collect(),
            _ => None,
        };
        match texts {
            Some(texts) => Ok(texts),
            None => self.report(path, "must be a list of texts"),
        }
    }

    pub(super) fn only_known(&self, settings: &Map<String, Value>, known: &[&str], path: &str) {
        for key in settings.keys().filter(|key| !known.contains(&key.as_str())) {
            self.problems
                .report(join(path, key), "is not supported by local-stack");
        }
    }

    pub(super) fn report<T>(&self, path: &str, message: impl Into<String>) -> Result<T, Reported> {
        self.problems.report(path, message);
        Err(Reported)
    }
}

const BAD_VARIABLE: &str = "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons";
