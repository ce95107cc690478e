import { queueNames } from 'queues.bicep'
import { tagsType } from 'types.bicep'

@description('Resource id of Application Insights.')
param appInsightsId string

@description('Resource id of the account of Cosmos DB.')
param cosmosId string

@description('Address that gets a mail for each alert. Empty: alerts on metrics only, shown in the portal.')
param email string

@description('Region.')
param location string

@description('Resource id of the namespace of Service Bus.')
param serviceBusId string

@description('Tags.')
param tags tagsType

@description('Resource id of the workspace with the app\'s log.')
param workspaceId string

var ofQueues = [{ name: 'EntityName', operator: 'Include', values: queueNames }]

var clientMistakes = ['400', '401', '403', '404', '405', '409', '412', '413', '415', '422', '429', '499']

var metrics = [
  {
    name: 'dead-letters-stay'
    text: 'Dead letters are not taken away: the functions dead-letters and overflow-dead-letters do not work.'
    severity: 1
    scope: serviceBusId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'DeadletteredMessages'
    aggregation: 'Maximum'
    threshold: 0
    dimensions: ofQueues
  }
  {
    name: 'wake-ups-wait'
    text: 'More than 1,000 wake-ups wait for workers.'
    severity: 2
    scope: serviceBusId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'ActiveMessages'
    aggregation: 'Average'
    threshold: 1000
    dimensions: ofQueues
  }
  {
    name: 'store-throttles'
    text: 'Cosmos DB refuses requests with 429: it needs more throughput (COSMOS_MAX_THROUGHPUT).'
    severity: 2
    scope: cosmosId
    namespace: 'Microsoft.DocumentDB/databaseAccounts'
    metric: 'TotalRequests'
    aggregation: 'Count'
    threshold: 100
    dimensions: [{ name: 'StatusCode', operator: 'Include', values: ['429'] }]
  }
  {
    name: 'executions-fail'
    text: 'Clients get 5xx, or functions throw: wake-ups, sweeps or dead letters fail.'
    severity: 1
    scope: appInsightsId
    namespace: 'microsoft.insights/components'
    metric: 'requests/failed'
    aggregation: 'Count'
    threshold: 10
    // Application Insights calls an answered 4xx failed, too; it is the client's mistake.
    dimensions: [{ name: 'request/resultCode', operator: 'Exclude', values: clientMistakes }]
  }
]

// These look for lines of the app's log, which tell reasons that a status does not. Azure charges for each of them, so an app
// that sends no mail has none.
var logs = [
  {
    name: 'requests-fail'
    text: 'Clients get 500, or runs fail, for a reason that the app did not expect.'
    severity: 1
    messages: '"request failed", "a run fails because of an unexpected error"'
    threshold: 5
  }
  {
    name: 'runs-are-given-up'
    text: 'Wake-ups failed at every delivery: their runs were failed.'
    severity: 1
    messages: '"a run\'s wake-up failed at every delivery"'
    threshold: 0
  }
  {
    name: 'runs-wait'
    text: 'Sweep after sweep finds overdue runs: there are too few workers.'
    severity: 2
    messages: '"sweep woke overdue runs"'
    threshold: 20
  }
  {
    name: 'store-is-in-trouble'
    text: 'Instances do not reach Cosmos DB, or not always.'
    severity: 1
    messages: '"not healthy", "the store is in trouble"'
    threshold: 5
  }
  {
    name: 'queue-is-in-trouble'
    text: 'Wake-ups cannot be sent to Service Bus: runs wait for the sweep.'
    severity: 2
    messages: '"wake-up not sent"'
    threshold: 20
  }
  {
    name: 'model-fails'
    text: 'Calls of the model fail: its quota, its key, its name or its service.'
    severity: 2
    messages: '"model call failed"'
    threshold: 20
  }
]

resource recipients 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'threadkeep'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'threadkeep'
    enabled: true
    emailReceivers: [
      {
        name: 'mail'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource metricAlert 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for each in metrics: {
    name: each.name
    location: 'global'
    tags: tags
    properties: {
      description: each.text
      severity: each.severity
      enabled: true
      scopes: [each.scope]
      evaluationFrequency: 'PT1M'
      windowSize: 'PT5M'
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: each.name
            metricNamespace: each.namespace
            metricName: each.metric
            timeAggregation: each.aggregation
            operator: 'GreaterThan'
            threshold: each.threshold
            dimensions: each.dimensions
            // A new resource has no metrics yet.
            skipMetricValidation: true
          }
        ]
      }
      actions: empty(email) ? [] : [{ actionGroupId: recipients.id }]
    }
  }
]

resource logAlert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for each in logs: if (!empty(email)) {
    name: each.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: each.name
      description: each.text
      severity: each.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: 'PT15M'
      windowSize: 'PT15M'
      autoMitigate: true
      // A new workspace has no tables yet.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: 'AppTraces | where Message has_any (${each.messages})'
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: each.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [recipients.id] }
    }
  }
]
