// The queues of the app. Their one source is the configuration of the local broker, so that both have the same ones.

@export()
@description('Name and properties of each queue, as Config.json of the Service Bus emulator has them.')
var queues = loadJsonContent('../../local/service-bus/config.json', 'UserConfig.Namespaces[0].Queues')

@export()
@description('Names of the queues.')
var queueNames = map(queues, queue => queue.Name)
